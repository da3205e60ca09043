import type { Shape } from '../tensor.js'
import { native, nativeAsync, type NativeStore, type TensorInFile } from './native.js'

/**
 * Named float32 tensors on a device that outlive programs: parameters, running statistics, optimizer state.
 * Programs that bind one store share its contents.
 */
export class Store {
  constructor(
    /** @internal */
    readonly handle: NativeStore,
  ) {}

  /** Adds a tensor. The device may keep `data` itself: do not write to it afterwards. */
  define(name: string, shape: Shape, data: Float32Array): void {
    native(() => this.handle.define(name, 'f32', shape, data))
  }

  /**
   * Adds tensors whose elements lie in an open file, which is read whenever they are needed.
   *
   * @throws CheckpointError, here or when they are needed, when the file has changed meanwhile
   */
  defineFromFile(
    { fd, path }: { readonly fd: number; readonly path: string },
    tensors: readonly TensorInFile[],
  ): void {
    native(() => this.handle.defineFromFile(fd, path, tensors))
  }

  /** Replaces the contents of a tensor, in row-major order. */
  async write(name: string, data: Float32Array): Promise<void> {
    await nativeAsync(() => this.handle.write(name, data))
  }

  /** A copy of the contents, in row-major order. */
  async read(name: string): Promise<Float32Array> {
    return new Float32Array(await nativeAsync(() => this.handle.read(name)))
  }

  /** Frees the tensors once no program needs them. */
  dispose(): void {
    this.handle.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
