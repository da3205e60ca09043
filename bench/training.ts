// Time and peak memory of one training step (forward, loss, backward, SGD with momentum) beside PyTorch on the same
// CPU, in its default layout and in channels_last, each contender in a process of its own, in turn. Prints a line of
// JSON a network: milliseconds (quartiles), images a second, peak resident memory, and the paired ratios
// PyTorch / fovea, above 1 where fovea is faster or smaller.
//
//   node dist/bench/training.js [--python PATH] [--threads 2] [--rounds 7] [--steps 2] [NETWORK[:BATCH] ...]
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Contender } from './support/contender.js'
import { quantile, quartiles } from './support/statistics.js'

const USUAL = ['alexnet:32', 'vgg11:8', 'googlenet:16', 'resnet18:16', 'resnet50:8', 'densenet121:8']
const FOVEA = fileURLToPath(new URL('./support/training-worker.js', import.meta.url))
const PYTORCH = fileURLToPath(new URL('../../bench/peers/training.py', import.meta.url))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: 'python3' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    steps: { type: 'string', default: '2' },
  },
})

const { python, threads } = values
for (const argument of positionals.length > 0 ? positionals : USUAL) {
  const [network, batch = '8'] = argument.split(':') as [string, string?]
  console.log(JSON.stringify(await compare(network, batch)))
}

async function compare(network: string, batch: string): Promise<object> {
  const pytorch = (layout: string) => [PYTORCH, network, batch, threads, layout]
  const contenders = {
    fovea: await Contender.start(process.execPath, [FOVEA, network, batch, threads]),
    default: await Contender.start(python, pytorch('default')),
    channelsLast: await Contender.start(python, pytorch('channels_last')),
  }
  const names = Object.keys(contenders) as (keyof typeof contenders)[]
  const times = { fovea: [], default: [], channelsLast: [] } as Record<keyof typeof contenders, number[]>
  const peaks = { fovea: 0, default: 0, channelsLast: 0 }
  for (let round = 0; round <= Number(values.rounds); round++)
    for (const name of round % 2 ? names : names.toReversed()) {
      const { milliseconds, peakMiB } = await contenders[name].round(Number(values.steps))
      peaks[name] = peakMiB
      // Round 0 warms up.
      if (round > 0) times[name].push(quantile(milliseconds, 0.5))
    }
  for (const name of names) await contenders[name].stop()

  const figures = (name: keyof typeof contenders) => {
    const { median } = quartiles(times[name])
    return {
      ms: rounded(quartiles(times[name])),
      imagesPerSecond: round1((1000 * Number(batch)) / median),
      peakMiB: Math.round(peaks[name]),
    }
  }
  const ratio = (name: 'default' | 'channelsLast') =>
    rounded(quartiles(times[name].map((time, i) => time / times.fovea[i]!)))
  const memory = (name: 'default' | 'channelsLast') => Number((peaks[name] / peaks.fovea).toFixed(2))
  return {
    network,
    batch: Number(batch),
    threads: Number(threads),
    versions: [contenders.fovea.description, contenders.default.description],
    fovea: figures('fovea'),
    pytorch: { ...figures('default'), ratio: ratio('default'), memoryRatio: memory('default') },
    pytorchChannelsLast: {
      ...figures('channelsLast'),
      ratio: ratio('channelsLast'),
      memoryRatio: memory('channelsLast'),
    },
  }
}

function rounded(numbers: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [name, Number((value as number).toFixed(2))]),
  )
}

function round1(value: number): number {
  return Number(value.toFixed(1))
}
