/** Every graph that native/cuda describes to cuDNN (convolution_graphs.h), by what is done in it, in its order. */
export const GRAPH_PATTERNS: readonly string[] = [
  'forward',
  'forward + bias',
  'forward + sum',
  'forward + bias + sum',
  'forward + relu',
  'forward + bias + relu',
  'forward + sum + relu',
  'forward + bias + sum + relu',
  'data',
  'filter',
]

/** Element types in which they are. */
export const GRAPH_TYPES: readonly string[] = ['f32', 'f16', 'bf16']

/**
 * Of {@link GRAPH_PATTERNS}, those of which the real cuDNN has finalized an engine, without a GPU, through a
 * device-properties descriptor. None yet: that needs cuDNN's own description of a GPU (`device.json` of the GPU suite).
 */
export const FINALIZED: ReadonlySet<string> = new Set()
