import type { CudaUnavailableReason } from '../errors.js'

const WHEELS =
  'pip install nvidia-cudnn-cu13 nvidia-cublas nvidia-cuda-nvrtc nvidia-cuda-runtime for CUDA 13, ' +
  'nvidia-cudnn-cu12 nvidia-cublas-cu12 nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12 for CUDA 12'
const FOLDERS = 'FOVEA_CUDA_PATH names the folder of the libraries, or several with ":" between them'

/** What to do about each reason for which CUDA cannot be used. */
const REMEDIES: Readonly<Record<CudaUnavailableReason, string>> = {
  'no-driver':
    'With an NVIDIA GPU, install its driver: 525 or newer for CUDA 12, 580 or newer for CUDA 13. A container must be given the GPU (docker run --gpus all). Without one, the CPU is what there is',
  'driver-too-old': `Update the NVIDIA driver, or install the libraries of a CUDA version that it runs. ${WHEELS}`,
  'driver-failed': 'nvidia-smi says more. After an update of the driver, the machine must be restarted',
  'library-missing': `Install what is missing: ${WHEELS}. ${FOLDERS}`,
  'mixed-folders': `Leave one installation of cuDNN, or name one: ${FOLDERS}`,
  'wrong-version': `Install versions that go together: ${WHEELS}. ${FOLDERS}`,
  'no-device': 'nvidia-smi -L lists the GPUs. CUDA_VISIBLE_DEVICES hides those that it does not name',
  'out-of-memory': 'nvidia-smi shows which processes hold the memory. --device cuda:N takes another GPU',
}

/** What to do; null for a reason that this version does not know. */
export function cudaRemedy(reason: string): string | null {
  return Object.hasOwn(REMEDIES, reason) ? REMEDIES[reason as CudaUnavailableReason] : null
}
