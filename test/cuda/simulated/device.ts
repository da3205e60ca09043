import { buildSimulator } from '../../cudasim/build.js'
import { SimulatorState } from '../../cudasim/state.js'
import { addon, type Device } from '../../native/addon.js'

/** What the simulator tells of itself to this process. */
export const simulator = SimulatorState.create()
process.env.CUDASIM_STATE = simulator.path

/** A simulated GPU, for plans by hand. */
export function openSimulated(): Promise<Device> {
  const folder = { path: process.env.FOVEA_CUDA_PATH ?? buildSimulator(), origin: 'test', driver: true }
  return addon.openCudaDevice('cuda:0', { cudaFolders: [folder] })
}
