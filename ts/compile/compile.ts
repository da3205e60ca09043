import type { Graph } from '../graph/graph.js'
import { appendToConcat } from './append.js'
import { foldBatchNorm, mergePadding } from './fold.js'
import { fuseRelu, fuseResidual } from './fuse.js'
import { lower } from './lower.js'
import type { Plan } from './plan.js'
import { inPrecision, type Precision } from './precision.js'
import { rewrite } from './rewrite.js'

/** The forward half with as few operations as possible; a training graph keeps what its backward half needs. */
export function optimize(graph: Graph, precision: Precision = 'f32'): Graph {
  const padded = rewrite(graph, mergePadding)
  const fused =
    graph.mode === 'training'
      ? rewrite(padded, fuseRelu)
      : rewrite(rewrite(rewrite(padded, foldBatchNorm), fuseResidual), fuseRelu, appendToConcat)
  return inPrecision(fused, precision)
}

/** The plan of a graph; what no output and no update needs is left out. */
export function toPlan(graph: Graph): Plan {
  return lower(rewrite(graph))
}
