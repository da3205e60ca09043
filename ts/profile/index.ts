export { costs, type Costs, type OpCost, type StepCost } from './costs.js'
export { drawMemory, drawRates } from './pictures.js'
export { traceOf, type Trace, type TraceEvent } from './trace.js'
export { speedOf, type Speed } from './speed.js'
