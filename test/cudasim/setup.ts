import { buildSimulator } from './build.js'

/** Builds the simulated device once, before any test file, and lets all of them find it. */
export default function setup(): void {
  process.env.FOVEA_CUDA_PATH = buildSimulator()
}
