/** Where a training is: `epoch 3`, or `epoch 3 and 17 steps of the next`. */
export function place({ epoch, step }: { readonly epoch: number; readonly step: number }): string {
  const whole = `epoch ${epoch}`
  return step === 0 ? whole : `${whole} and ${step} ${step === 1 ? 'step' : 'steps'} of the next`
}
