import type { Plan } from '../compile/plan.js'
import { ShapeError } from '../errors.js'
import type { Program } from '../runtime/program.js'
import { CompiledProgram } from './compiled.js'
import { elementCount, formatShape, Tensor } from '../tensor.js'

/** A network compiled for inference on batches of one size. */
export class InferenceProgram<Outputs extends string = 'logits'> extends CompiledProgram {
  /** `[N, C, H, W]` of a full batch. */
  readonly inputShape: readonly [number, number, number, number]
  private readonly outputs: readonly Outputs[]

  constructor(
    private readonly name: string,
    program: Program,
    plan: Plan,
  ) {
    super(program)
    this.inputShape = plan.buffers[plan.inputs[0]!.buffer]!.shape as [number, number, number, number]
    this.outputs = plan.outputs.map((output) => output.name as Outputs)
  }

  /**
   * Runs the network.
   *
   * @param images - `[n, C, H, W]`, n at most the compiled batch; a short batch is padded and its results trimmed
   * @returns one tensor `[n, ...]` an output
   * @throws ShapeError when the images have another shape
   * @throws AbortError when `signal` fires first
   */
  async predict(
    images: Tensor,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Readonly<Record<Outputs, Tensor>>> {
    const [batch, ...image] = this.inputShape
    const [n = 0, ...given] = images.shape
    if (n < 1 || n > batch || given.length !== 3 || given.some((size, i) => size !== image[i])) {
      const expected = formatShape([batch, ...image])
      const got = formatShape(images.shape)
      throw new ShapeError(
        `${this.name} expects images of shape ${expected} (or a smaller batch), got ${got}`,
        {
          subject: 'images',
          expected,
          got,
        },
      )
    }
    let input = images.data
    if (n < batch) {
      input = new Float32Array(elementCount(this.inputShape))
      input.set(images.data)
    }
    const results = await this.program.run(['forward'], { input }, this.outputs, signal)
    if (n === batch) return results as Record<Outputs, Tensor>
    const trim = ({ shape, data }: Tensor) =>
      new Tensor([n, ...shape.slice(1)], data.slice(0, (data.length / batch) * n), 'f32')
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name, trim(result)]),
    ) as Record<Outputs, Tensor>
  }
}
