// onnxruntime-node as a contender: a network that fovea has written as ONNX.
//
//   node dist/bench/workers/onnxruntime.js FILE.onnx THREADS N,C,H,W
import { loadPeer } from '../support/peers.js'
import { samplePixels } from '../../ts/runtime/profile.js'
import { head, serve } from '../support/worker.js'

interface OrtTensor {
  readonly data: Float32Array
}
interface Ort {
  readonly env: { readonly versions: { readonly node?: string; readonly common: string } }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor
  readonly InferenceSession: {
    create(
      path: string,
      options: object,
    ): Promise<{ run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>> }>
  }
}

const [file, threads, dims] = process.argv.slice(2)
const ort = loadPeer('onnxruntime-node') as Ort
const session = await ort.InferenceSession.create(file!, {
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
})
const shape = dims!.split(',').map(Number)
const feeds = { input: new ort.Tensor('float32', samplePixels(shape), shape) }
const [logits] = Object.values(await session.run(feeds))
await serve(`onnxruntime-node ${ort.env.versions.common}`, () => session.run(feeds), head(logits!.data))
