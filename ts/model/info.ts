import type { Preprocessing } from '../data/preprocessing.js'
import type { Json } from '../io/json.js'

/** What is known of a network beside its layers. */
export interface ModelInfo {
  /** Name of the architecture, such as `resnet50`. */
  readonly name: string
  /** Number of classes that the last layer tells apart. */
  readonly classes: number
  readonly input: ModelInput
  /** What the weights want to see; until there are any, what a bare file of them is taken to want. */
  readonly preprocessing: Preprocessing
  /** The options that make the network anew, `classes` aside, where it has a name to be made by. */
  readonly options?: Json
  /** Names of the classes in index order, where they are known. */
  readonly labels?: readonly string[] | null
  /** Turns a name found in a checkpoint into the network's own, where published files differ. */
  readonly checkpointName?: (name: string) => string
  /** Prefixes of auxiliary heads, which a network built without them may find in a checkpoint. */
  readonly auxiliaryHeads?: readonly string[]
}

export interface ModelInput {
  readonly channels: number
  /** Height and width that the network was made for. */
  readonly size: number
  /** Whether it takes no other size. Default false. */
  readonly fixed?: boolean
}
