import type { CheckpointTensor } from '../io/checkpoint.js'
import type { RandomAccessFile } from '../io/random-access.js'
import { elementCount, type Shape } from '../tensor.js'

/** Closes files when nothing is left that could be read from them. */
const abandoned = new FinalizationRegistry((file: RandomAccessFile) => void file.close())

/** A file that stays open until it is closed, or nobody knows of it any more. */
export class HeldFile {
  constructor(readonly file: RandomAccessFile) {
    abandoned.register(this, file, this)
  }

  close(): void {
    abandoned.unregister(this)
    void this.file.close()
  }
}

/** Float32 values that stay in their file until they are needed. */
export class FileValue {
  constructor(
    readonly held: HeldFile,
    /** Bytes from the start of the file. */
    readonly position: number,
    private readonly shape: Shape,
  ) {}

  /** @throws CheckpointError when the file has changed since it was opened, or cannot be read */
  async read(): Promise<Float32Array> {
    const { file } = this.held
    const data = new Float32Array(elementCount(this.shape))
    await file.readInto(new Uint8Array(data.buffer), this.position, 'its weights')
    file.checkUnchanged()
    return data
  }
}

/** Opens files once more, so that values can be left in them when whoever opened them first has closed them. */
export class HeldFiles {
  readonly #held = new Map<RandomAccessFile, HeldFile | null>()

  /** A tensor's values in their file; null where they do not lie there as they are, or the file has gone. */
  async value({ place, shape }: CheckpointTensor): Promise<FileValue | null> {
    if (!place) return null
    let held = this.#held.get(place.file)
    if (held === undefined) {
      const file = await place.file.reopen()
      held = file && new HeldFile(file)
      this.#held.set(place.file, held)
    }
    return held && new FileValue(held, place.position, shape)
  }
}
