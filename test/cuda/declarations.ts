import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../cli/fovea.js'

const run = promisify(execFile)

export const API = join(root, 'native/cuda/api')
/** In an order in which each finds what it includes. */
export const HEADERS = [
  'runtime.h',
  'driver.h',
  'cudnn_status.h',
  'cudnn_graph.h',
  'cudnn.h',
  'cublas.h',
  'nvrtc.h',
] as const
const REAL_HEADERS = ['cuda.h', 'cuda_runtime_api.h', 'cublas_v2.h', 'nvrtc.h', 'cudnn.h']

/** Everything that own headers declare, by name. */
export interface Declared {
  readonly functions: readonly string[]
  readonly types: readonly string[]
  readonly values: readonly string[]
}

/** Reads what headers in native/cuda/api's style declare. */
export async function declared(folder: string): Promise<Declared> {
  const names: Record<keyof Declared, string[]> = { functions: [], types: [], values: [] }
  for (const header of HEADERS) {
    const text = (await readFile(join(folder, header), 'utf8')).replace(/\/\/.*$/gm, '')
    const [, types, functions] =
      /#ifndef FOVEA_CUDA_SKIP_TYPES(.*?)#endif.*?#ifndef FOVEA_CUDA_SKIP_FUNCTIONS(.*?)#endif/s.exec(text)!
    names.functions.push(...[...functions!.matchAll(/\b(\w+)\([^;]*\);/g)].map((match) => match[1]!))
    names.values.push(...[...types!.matchAll(/\b(\w+) = -?\d+/g)].map((match) => match[1]!))
    names.types.push(
      ...[
        ...types!.matchAll(
          /\btypedef (?:[^;{]*\{[^}]*\} (\w+)|[^;{]*\(\*(\w+)\)\([^;]*\)|[^;{]*\b(\w+));|\benum (\w+) \{/g,
        ),
      ].map((match) => (match[1] ?? match[2] ?? match[3] ?? match[4])!),
    )
  }
  return names
}

// Types of the same name in two namespaces are never the same type, so they are compared by what they are.
const ALIKE = `
#include <string_view>
#include <type_traits>
template <class T>
constexpr std::string_view nameOf() {
  std::string_view name = __PRETTY_FUNCTION__;
  name = name.substr(name.find("T = ") + 4);
  name = name.substr(0, name.find_first_of(";]"));
  return name.substr(name.rfind(':') == name.npos ? 0 : name.rfind(':') + 1);
}
template <class Own, class Real>
constexpr bool alike() {
  if constexpr (std::is_pointer_v<Own> && std::is_pointer_v<Real>)
    return alike<std::remove_pointer_t<Own>, std::remove_pointer_t<Real>>();
  else if constexpr (std::is_enum_v<Own> && std::is_enum_v<Real>)
    return sizeof(Own) == sizeof(Real);
  else if constexpr (std::is_class_v<Own> && std::is_class_v<Real>)
    return nameOf<Own>() == nameOf<Real>();
  else
    return std::is_same_v<Own, Real>;
}`

const includeReal = REAL_HEADERS.map((header) => `#include <${header}>`).join('\n')
/** By their paths, since some have the names of real ones. */
const includeOwn = (folder: string) =>
  HEADERS.map((header) => `#include "${join(folder, header)}"`).join('\n')

/** Compares types, values and which functions there are. */
function comparison(own: string, { functions, types, values }: Declared): string {
  return `${includeReal}
#include <stdint.h>
${ALIKE}
namespace own {
#define FOVEA_CUDA_SKIP_FUNCTIONS
${includeOwn(own)}
}
namespace real {
${functions.map((name) => `using ::${name};`).join('\n')}
}
${types.map((name) => `static_assert(alike<own::${name}, ::${name}>(), "type ${name}");`).join('\n')}
${values.map((name) => `static_assert(static_cast<long long>(own::${name}) == static_cast<long long>(::${name}), "value ${name}");`).join('\n')}
`
}

/** Declares every function a second time, with the real types: in C there is no other of the same name. */
const redeclaration = (own: string) => `${includeReal}
#define FOVEA_CUDA_SKIP_TYPES
${includeOwn(own)}
`

/** Compiles without output; gives what the compiler says, empty if nothing. */
async function compile(source: string, folders: readonly string[]): Promise<string> {
  const system = folders.flatMap((folder) => ['-isystem', folder])
  const options = [
    '-std=c++20',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-fsyntax-only',
    `-I${folders[0]!}`,
    ...system,
  ]
  try {
    return (await run('g++', [...options, source])).stderr
  } catch (error) {
    return (error as { readonly stderr: string }).stderr
  }
}

/** Compares own headers with the real ones; gives the compiler's words about what differs. */
export async function differences(own: string, real: readonly string[], work: string): Promise<string> {
  const sources = {
    'comparison.cc': comparison(own, await declared(own)),
    'redeclaration.cc': redeclaration(own),
  }
  const words: string[] = []
  for (const [name, text] of Object.entries(sources)) {
    await writeFile(join(work, name), text)
    words.push(await compile(join(work, name), real))
  }
  return words.join('')
}

/** Compiles own headers alone. */
export async function compileAlone(own: string, work: string): Promise<string> {
  const source = join(work, 'alone.cc')
  await writeFile(source, includeOwn(own))
  return compile(source, [])
}
