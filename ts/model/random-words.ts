/** Seed and step as kernels read them: four 32-bit words, low before high. */
export function randomWords(seed: number, step: number): Int32Array {
  return Int32Array.of(seed, seed / 2 ** 32, step, step / 2 ** 32)
}
