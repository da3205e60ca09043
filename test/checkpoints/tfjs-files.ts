import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { kerasFolder } from '../support/keras.js'

/** One tensor of a weights manifest. */
export interface WeightSpec {
  name: string
  shape: number[]
  dtype: string
  quantization?: { dtype: string; scale?: number; min?: number }
}

/** One layer of a topology. */
export interface LayerSpec {
  class_name: string
  name?: string
  config: Record<string, unknown>
  inbound_nodes?: unknown
}

/** The parts of a `model.json` that tests change. */
export interface Document {
  format?: string
  modelTopology: {
    model_config?: Network
  } & Partial<Network>
  weightsManifest: { paths: string[]; weights: WeightSpec[] }[]
}

interface Network {
  class_name: string
  config: { name: string; layers: LayerSpec[]; input_layers?: unknown; output_layers?: unknown }
}

/** A model of `test/data/keras`, for a test to change. */
export function fixture(name: string): { document: Document; weights: Buffer } {
  return {
    document: JSON.parse(readFileSync(join(kerasFolder(name), 'model.json'), 'utf8')) as Document,
    weights: readFileSync(join(kerasFolder(name), 'group1-shard1of1.bin')),
  }
}

/** The network that a document describes. */
export function networkOf({ modelTopology }: Document): Network {
  return modelTopology.model_config ?? (modelTopology as Network)
}

/** The layer of a name. */
export function layerOf(document: Document, name: string): LayerSpec {
  const { layers } = networkOf(document).config
  return layers.find((layer) => (layer.name ?? layer.config.name) === name)!
}

let count = 0

/** Writes a `model.json` with its shards into a new folder. */
export function writeModel(root: string, document: unknown, shards: Record<string, Uint8Array> = {}): string {
  const folder = join(root, `model-${count++}`)
  put(join(folder, 'model.json'), JSON.stringify(document))
  for (const [name, bytes] of Object.entries(shards)) put(join(folder, name), bytes)
  return folder
}

/** As {@link writeModel}, with everything in scripts as nsfwjs publishes them. */
export function writeScripts(root: string, document: unknown, shards: Record<string, Uint8Array>): string {
  const folder = join(root, `model-${count++}`)
  put(join(folder, 'model.min.js'), umd('model', literal(document)))
  for (const [name, bytes] of Object.entries(shards))
    put(
      join(folder, `${name}.min.js`),
      umd(basename(name), JSON.stringify(Buffer.from(bytes).toString('base64'))),
    )
  return folder
}

export function put(path: string, content: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}

/** What browserify's UMD wrapper makes of a module, minified. */
export function umd(name: string, value: string): string {
  return (
    '!function(a){if("object"==typeof exports&&"undefined"!=typeof module)module.exports=a();else if("function"==typeof ' +
    'define&&define.amd)define([],a);else{("undefined"!=typeof window?window:"undefined"!=typeof global?global:' +
    `"undefined"!=typeof self?self:this).${name}=a()}}(function(){return function a(n,i,e){function t(o,s){if(!i[o]){` +
    'var c=i[o]={exports:{}};n[o][0].call(c.exports,function(a){return t(n[o][1][a]||a)},c,c.exports,a,n,i,e)}return ' +
    `i[o].exports}return t}({1:[function(a,n,i){n.exports=${value}},{}]},{},[1])(1)});`
  )
}

/** A value as a minifier writes it. */
export function literal(value: unknown): string {
  if (typeof value === 'boolean') return value ? '!0' : '!1'
  if (typeof value === 'number') return String(value).replace(/^(-?)0\./, '$1.')
  if (Array.isArray(value)) return `[${value.map(literal).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name))
  return `{${Object.entries(value)
    .map(([name, field]) => `${key(name)}:${literal(field)}`)
    .join(',')}}`
}
