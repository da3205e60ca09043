import { InvalidArgumentError as BadValue, type Command } from 'commander'
import type { Pair } from '../../graph/schema.js'
import type { Summary, SummaryRow } from '../../model/summary.js'
import { formatShape } from '../../tensor.js'
import { action, command, positiveInteger, type Flags } from '../command.js'
import { colours, count, print, printJson, table } from '../output.js'

interface Options extends Flags {
  readonly input?: number | Pair
  readonly batch: number
  readonly training?: true
}

/** `fovea summary` */
export function summaryCommand(): Command {
  return command('summary', "show a network's layers, their shapes and what they cost")
    .argument('<name>', 'network, such as resnet50')
    .option(
      '--input <size>',
      'side of the images, or HEIGHTxWIDTH; default: what the network was made for',
      imageSize,
    )
    .option('--batch <n>', 'images at a time', positiveInteger, 1)
    .option('--training', 'as it is in training: with auxiliary heads')
    .action(action(summarizeNetwork))
}

function imageSize(text: string): number | Pair {
  const [, height, width] = /^(\d+)(?:x(\d+))?$/.exec(text) ?? []
  if (height === undefined || Number(height) === 0 || Number(width) === 0)
    throw new BadValue('It must be like 224 or 240x320.')
  return width === undefined ? Number(height) : [Number(height), Number(width)]
}

async function summarizeNetwork([name]: [string], options: Options): Promise<void> {
  const { createModel, parseModelName } = await import('../../../models/index.js')
  const { summarize } = await import('../../model/summary.js')
  const { input, batch, training, json } = options
  const summary = summarize(createModel(parseModelName(name)), {
    batch,
    mode: training ? 'training' : 'evaluation',
    ...(input === undefined ? {} : { size: input }),
  })
  if (json) printJson(summary)
  else show(summary)
}

function show({ model, input, rows, parameters, multiplyAdds, activationBytes }: Summary): void {
  const { bold } = colours(process.stdout)
  const columns = [
    { title: 'layer' },
    { title: 'operation' },
    { title: 'output' },
    { title: 'parameters', align: 'right' },
    { title: 'multiply-adds', align: 'right' },
    { title: 'activations', align: 'right' },
  ] as const
  const number = (n: number) => (n === 0 ? '' : count(n))
  const cells = rows.map((row) => [
    row.path,
    operation(row),
    formatShape(row.shape),
    number(row.parameters),
    number(row.multiplyAdds),
    number(row.activationBytes),
  ])
  print(bold(`${model} on ${formatShape(input)}`), '', ...table(columns, cells), '')
  const totals = [
    ['parameters', count(parameters), scaled(parameters, ['', ' thousand', ' million', ' billion'])],
    ['multiply-adds', count(multiplyAdds), scaled(multiplyAdds, ['', ' k', ' M', ' G'])],
    ['activations', count(activationBytes), scaled(activationBytes, [' B', ' kB', ' MB', ' GB'])],
  ]
  print(...table([{ title: '' }, { title: '', align: 'right' }, { title: '', align: 'right' }], totals))
}

/** `max pooling`, `relu` */
function operation({ op, kind }: SummaryRow): string {
  if (kind === null) return op
  return op === 'elementwise' ? kind : `${kind} ${op}`
}

/** `4.09 G` */
function scaled(n: number, units: readonly [string, string, string, string]): string {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(n, 1)) / 3))
  return `${power === 0 ? String(n) : (n / 1000 ** power).toPrecision(3)}${units[power]!}`
}
