import { CheckpointError } from '../../errors.js'
import { renamed, type CheckpointTensor } from '../../io/checkpoint-tensor.js'
import type { Checkpoint } from '../../io/checkpoint.js'
import type { TfjsModel } from '../../io/tfjs.js'
import type { Config } from './config.js'
import { convolutionKernel, denseKernel } from './layout.js'
import { LAYERS } from './layers/index.js'
import { parseTopology } from './topology.js'

const VARIABLES: ReadonlyMap<string, string> = new Map([
  ['kernel', 'weight'],
  ['bias', 'bias'],
  ['gamma', 'weight'],
  ['beta', 'bias'],
  ['moving_mean', 'running_mean'],
  ['moving_variance', 'running_var'],
])

/**
 * The weights of a layers model as those of a named network: other names, and kernels in the order of PyTorch. A
 * tensor of a layer that is not listed keeps its name.
 *
 * @param names - the network's name of each of Keras' layers
 */
export function withNames(file: TfjsModel, names: ReadonlyMap<string, string>): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>()
  for (const tensor of file.tensors.values()) {
    const [variable = '', layer = ''] = tensor.name.split('/').reverse()
    const own = names.get(layer)
    const part = VARIABLES.get(variable)
    const name = own === undefined || part === undefined ? tensor.name : `${own}.${part}`
    tensors.set(name, renamed(inOrder(tensor), name))
  }
  return { ...file, tensors }
}

function inOrder(tensor: CheckpointTensor): CheckpointTensor {
  if (tensor.shape.length === 4) return convolutionKernel(tensor)
  return tensor.shape.length === 2 ? denseKernel(tensor) : tensor
}

/** The settings of a model's layers, models within it left out. */
export class KerasLayers {
  private readonly byName: ReadonlyMap<string, { readonly className: string; readonly config: Config }>

  /** @throws UnsupportedError for a class of layers that no importer knows */
  constructor(private readonly file: TfjsModel) {
    const { calls } = parseTopology(file.path, file.topology, new Set(['InputLayer', ...LAYERS.keys()]))
    this.byName = new Map(calls.map(({ layer }) => [layer.name, layer]))
  }

  /**
   * The settings of the first layer of a class that has one of the names.
   * @throws CheckpointError when there is none
   */
  find(className: string, names: Iterable<string> = this.byName.keys()): Config {
    for (const name of names) {
      const layer = this.byName.get(name)
      if (layer?.className === className) return layer.config
    }
    throw new CheckpointError('CHECKPOINT_MISMATCH', `${this.file.path} has no such layer: ${className}`, {
      subject: this.file.path,
      expected: className,
    })
  }
}
