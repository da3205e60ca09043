import type { Graph } from '../graph/graph.js'
import { foldBatchNorm, mergePadding } from './fold.js'
import { fuseRelu, fuseResidual } from './fuse.js'
import { lower } from './lower.js'
import type { Plan } from './plan.js'
import { rewrite } from './rewrite.js'

/** The plan of a graph. An evaluation graph is folded and fused first. */
export function compile(graph: Graph): Plan {
  if (graph.mode === 'training') return lower(rewrite(graph))
  const folded = rewrite(rewrite(graph, mergePadding), foldBatchNorm)
  return lower(rewrite(rewrite(folded, fuseResidual), fuseRelu))
}
