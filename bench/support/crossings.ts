import { loadAddon } from '../../ts/runtime/native.js'

/** Counts calls into the addon, from the next device that is opened on. */
export class Crossings {
  /** Calls so far. */
  count = 0
  private readonly originals = new WeakMap<object, object>()

  constructor() {
    const addon = loadAddon()
    const open = addon.openDevice.bind(addon)
    addon.openDevice = (...args) => {
      addon.openDevice = open
      return this.counted(open(...args))
    }
  }

  /** An object of the addon that counts the calls of its methods, and of those of the objects that they give. */
  private counted<T extends object>(original: T): T {
    const proxy = new Proxy(original, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: readonly unknown[]) => {
          this.count++
          return this.wrapped(
            Reflect.apply(
              value,
              target,
              args.map((arg) => this.originalOf(arg)),
            ) as unknown,
          )
        }
      },
    })
    this.originals.set(proxy, original)
    return proxy
  }

  private wrapped(result: unknown): unknown {
    if (result instanceof Promise) return result.then((value) => this.wrapped(value))
    const isNative = typeof result === 'object' && result !== null && 'dispose' in result
    return isNative ? this.counted(result) : result
  }

  private originalOf(value: unknown): unknown {
    return (typeof value === 'object' && value !== null && this.originals.get(value)) || value
  }
}
