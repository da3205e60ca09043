import { existsSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { failure, odd } from './files.js'

describe('a checkpoint with more than tensors', () => {
  it.each([
    ['unsafe.pth', 'posix.system'],
    ['unsafe-4.pth', 'posix.system'],
    ['unsafe-legacy.pth', 'posix.system'],
    ['unsafe.tar.pth', 'posix.system'],
    ['unsafe-eval.pth', '__builtin__.eval'],
    ['unsafe-numpy.pth', 'numpy._core.multiarray.scalar'],
    ['module.pth', 'torch.nn.modules.linear.Linear'],
    ['module-legacy.pth', 'torch.nn.modules.linear.Linear'],
  ])('%s is refused by the name of %s, and nothing runs', async (file, name) => {
    rmSync('/tmp/harmed', { force: true })
    const error = await failure(odd(file))
    expect(error).toMatchObject({ name: 'CheckpointError', code: 'CHECKPOINT_UNSAFE' })
    expect(error.message).toContain(odd(file))
    expect(error.message).toContain(`"${name}"`)
    expect(existsSync('/tmp/harmed')).toBe(false)
  })
})
