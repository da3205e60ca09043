export { readMetrics, METRICS_FILE, type EpochMetrics, type RunMetrics, type StepMetrics } from './metrics.js'
export { COLOURS, curves, type NamedPlot } from './curves.js'
export { drawPlot, type AxisOptions, type Plot, type Point, type Series } from './plot.js'
export { writeReport, type ReportFiles } from './report.js'
