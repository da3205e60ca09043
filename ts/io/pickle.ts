import { CheckpointError } from '../errors.js'
import { op } from './pickle-operations.js'
import { PickleReader } from './pickle-reader.js'

/** What a pickle can hold: lists and tuples are arrays, dictionaries are maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleObject

/** A value of a kind that the reader of a pickle knows, such as a tensor. */
export interface PickleObject {
  readonly kind: string
}

/** A name that a pickle may use, and what calling it means; without `call` it can only be passed around. */
export interface PickleGlobal extends PickleObject {
  readonly kind: 'global'
  readonly name: string
  readonly call?: (args: readonly PickleValue[]) => PickleValue
}

export interface PickleOptions {
  /** The file and its part, for messages. */
  readonly source: string
  /** The allowed global of a name such as `collections.OrderedDict`; all others are refused. */
  readonly resolve: (name: string) => PickleGlobal | undefined
  /** The object that a persistent id stands for. */
  readonly persistentLoad?: (id: PickleValue) => PickleValue
}

export function isGlobal(value: PickleValue | undefined): value is PickleGlobal {
  return isObject(value) && value.kind === 'global'
}

export function isObject(value: PickleValue | undefined): value is PickleObject {
  return typeof value === 'object' && value !== null && 'kind' in value
}

/**
 * Reads one pickle from the start of `bytes`, protocols 0 to 5, and tells its length.
 *
 * Nothing a pickle names is ever looked up or executed: the few names that `resolve` knows build plain data.
 *
 * @throws CheckpointError `CHECKPOINT_UNSAFE` at the first other name, `CHECKPOINT_FORMAT` when damaged.
 */
export function unpickle(bytes: Buffer, options: PickleOptions): { value: PickleValue; length: number } {
  return new Machine(bytes, options).run()
}

/** An operation of one byte can make a dictionary of hundreds: this bounds what a hostile pickle can use. */
const MAX_STEPS = 1 << 21
const PROTOCOL = 5

class Machine {
  /** The values since the last mark. */
  #stack: PickleValue[] = []
  /** The stacks below the open marks. */
  readonly #marked: PickleValue[][] = []
  #steps = 0
  readonly #memo = new Map<number, PickleValue>()
  readonly #in: PickleReader

  constructor(
    bytes: Buffer,
    private readonly options: PickleOptions,
  ) {
    this.#in = new PickleReader(bytes, options.source)
  }

  run(): { value: PickleValue; length: number } {
    for (;;) {
      const operation = this.#in.uint8()
      if (operation === op.STOP) return { value: this.#pop(), length: this.#in.position }
      this.#charge(1)
      // None is null here, so that only undefined can mean "not one of these".
      let value = this.#scalar(operation)
      if (value === undefined) value = this.#container(operation)
      if (value === undefined) value = this.#object(operation)
      if (value === undefined) this.#act(operation)
      else this.#stack.push(value)
    }
  }

  /** The number or text of an operation that holds one. */
  #scalar(operation: number): PickleValue | undefined {
    switch (operation) {
      case op.NONE:
        return null
      case op.NEWTRUE:
        return true
      case op.NEWFALSE:
        return false
      case op.INT:
        return this.#in.textInteger(this.#in.line(), true)
      case op.LONG:
        return this.#in.textInteger(this.#in.line().replace(/L$/, ''), false)
      case op.BININT:
        return this.#in.take(4).readInt32LE()
      case op.BININT1:
        return this.#in.uint8()
      case op.BININT2:
        return this.#in.take(2).readUInt16LE()
      case op.LONG1:
        return this.#in.integer(this.#in.uint8())
      case op.LONG4:
        return this.#in.integer(this.#in.take(4).readInt32LE())
      case op.FLOAT:
        return this.#in.textFloat(this.#in.line())
      case op.BINFLOAT:
        return this.#in.take(8).readDoubleBE()

      case op.STRING:
        return this.#in.quoted(this.#in.line())
      case op.UNICODE:
        return this.#in.escapedLine()
      case op.SHORT_BINSTRING:
      case op.SHORT_BINUNICODE:
        return this.#in.take(this.#in.uint8()).toString()
      case op.BINSTRING:
      case op.BINUNICODE:
        return this.#in.take(this.#in.uint32()).toString()
      case op.BINUNICODE8:
        return this.#in.take(this.#in.uint64()).toString()
      case op.SHORT_BINBYTES:
        return this.#in.copy(this.#in.uint8())
      case op.BINBYTES:
        return this.#in.copy(this.#in.uint32())
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        return this.#in.copy(this.#in.uint64())
      default:
        return undefined
    }
  }

  /** The container of an operation that makes one, or a value that was there before. */
  #container(operation: number): PickleValue | undefined {
    switch (operation) {
      case op.EMPTY_LIST:
      case op.EMPTY_TUPLE:
        return []
      case op.EMPTY_DICT:
        return new Map()
      case op.EMPTY_SET:
        return new Set()
      case op.LIST:
      case op.TUPLE:
        return this.#popMark()
      case op.TUPLE1:
        return this.#popTuple(1)
      case op.TUPLE2:
        return this.#popTuple(2)
      case op.TUPLE3:
        return this.#popTuple(3)
      case op.DICT:
        return this.#setItems(new Map(), this.#popMark())
      case op.FROZENSET:
        return new Set(this.#popMark())
      case op.DUP:
        return this.#top()
      case op.GET:
        return this.#recall(Number(this.#in.line()))
      case op.BINGET:
        return this.#recall(this.#in.uint8())
      case op.LONG_BINGET:
        return this.#recall(this.#in.uint32())
      default:
        return undefined
    }
  }

  /** What an operation that names, calls or refers to something means. */
  #object(operation: number): PickleValue | undefined {
    switch (operation) {
      case op.GLOBAL:
        return this.#global(this.#in.line(), this.#in.line())
      case op.STACK_GLOBAL: {
        const [module, name] = this.#popTuple(2)
        if (typeof module !== 'string' || typeof name !== 'string')
          throw this.#in.malformed('a global has no textual name')
        return this.#global(module, name)
      }
      case op.REDUCE:
      case op.NEWOBJ: {
        const [callee, args] = this.#popTuple(2)
        return this.#call(callee, args)
      }
      case op.NEWOBJ_EX: {
        const [callee, args, named] = this.#popTuple(3)
        if (!(named instanceof Map) || named.size > 0) throw this.#in.malformed('a call has named arguments')
        return this.#call(callee, args)
      }
      case op.INST: {
        const callee = this.#global(this.#in.line(), this.#in.line())
        return this.#call(callee, this.#popMark())
      }
      case op.OBJ: {
        const [callee, ...args] = this.#popMark()
        return this.#call(callee, args)
      }
      case op.PERSID:
        return this.#persistent(this.#in.line())
      case op.BINPERSID:
        return this.#persistent(this.#pop())
      case op.EXT1:
      case op.EXT2:
      case op.EXT4:
        throw this.#unsafe('an extension code')
      default:
        return undefined
    }
  }

  /** The operations that only change what is there. */
  #act(operation: number): void {
    switch (operation) {
      case op.PROTO: {
        const protocol = this.#in.uint8()
        if (protocol > PROTOCOL)
          throw this.#in.malformed('unknown pickle protocol', `at most ${PROTOCOL}`, String(protocol))
        return
      }
      case op.FRAME:
        // A frame only tells how much to read ahead; all its bytes must be there.
        this.#in.need(this.#in.uint64())
        return

      case op.APPEND:
        this.#append([this.#pop()])
        return
      case op.APPENDS:
        this.#append(this.#popMark())
        return
      case op.ADDITEMS: {
        const items = this.#popMark()
        const set = this.#top()
        if (!(set instanceof Set)) throw this.#in.malformed('adds to something other than a set')
        for (const item of items) set.add(item)
        return
      }
      case op.SETITEM:
      case op.SETITEMS: {
        const items = operation === op.SETITEM ? this.#popTuple(2) : this.#popMark()
        this.#setItems(this.#top(), items)
        return
      }

      case op.MARK:
        this.#marked.push(this.#stack)
        this.#stack = []
        return
      case op.POP:
        if (this.#stack.length > 0) this.#pop()
        else this.#popMark()
        return
      case op.POP_MARK:
        this.#popMark()
        return
      case op.PUT:
        this.#memorise(Number(this.#in.line()))
        return
      case op.BINPUT:
        this.#memorise(this.#in.uint8())
        return
      case op.LONG_BINPUT:
        this.#memorise(this.#in.uint32())
        return
      case op.MEMOIZE:
        this.#memorise(this.#memo.size)
        return

      case op.BUILD:
        // Attributes, such as the `_metadata` of a state dict, say nothing about tensors.
        this.#pop()
        if (isGlobal(this.#top())) throw this.#in.malformed('sets attributes of a global')
        return
      default:
        throw this.#in.malformed('unknown pickle operation', undefined, `0x${operation.toString(16)}`)
    }
  }

  /** Counts steps, and what a call may copy, as a list can be passed to calls again and again. */
  #charge(steps: number): void {
    this.#steps += steps
    if (this.#steps > MAX_STEPS)
      throw this.#in.malformed('absurdly long', `at most ${MAX_STEPS} operations`, 'more')
  }

  #global(module: string, name: string): PickleGlobal {
    const full = `${module}.${name}`
    const known = this.options.resolve(full.replace(/^__builtin__\./, 'builtins.'))
    if (!known) throw this.#unsafe(`the Python name "${full}"`)
    return known
  }

  #call(callee: PickleValue | undefined, args: PickleValue | undefined): PickleValue {
    if (!isGlobal(callee)) throw this.#in.malformed('calls something that is no function')
    if (!callee.call) throw this.#unsafe(`a call of "${callee.name}"`)
    if (!Array.isArray(args)) throw this.#in.malformed(`calls "${callee.name}" without a tuple of arguments`)
    for (const arg of args) if (Array.isArray(arg) || typeof arg === 'string') this.#charge(arg.length)
    return callee.call(args)
  }

  #persistent(id: PickleValue): PickleValue {
    if (!this.options.persistentLoad) throw this.#in.malformed('has a persistent id where none can be')
    return this.options.persistentLoad(id)
  }

  #append(items: PickleValue[]): void {
    const list = this.#top()
    if (!Array.isArray(list)) throw this.#in.malformed('appends to something other than a list')
    for (const item of items) list.push(item)
  }

  #setItems(map: PickleValue, items: PickleValue[]): PickleValue {
    if (!(map instanceof Map)) throw this.#in.malformed('sets items of something other than a dictionary')
    if (items.length % 2) throw this.#in.malformed('a key of a dictionary has no value')
    for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!)
    return map
  }

  #pop(): PickleValue {
    const value = this.#stack.pop()
    if (value === undefined) throw this.#in.malformed('takes a value from an empty stack')
    return value
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1)
    if (value === undefined) throw this.#in.malformed('takes a value from an empty stack')
    return value
  }

  #popTuple(length: number): PickleValue[] {
    if (this.#stack.length < length) throw this.#in.malformed('takes a value from an empty stack')
    return this.#stack.splice(-length)
  }

  #popMark(): PickleValue[] {
    const items = this.#stack
    const below = this.#marked.pop()
    if (!below) throw this.#in.malformed('closes a mark that was never set')
    this.#stack = below
    return items
  }

  #memorise(index: number): void {
    this.#memo.set(index, this.#top())
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#in.malformed('recalls a value that was never stored')
    return value
  }

  #unsafe(what: string): CheckpointError {
    return new CheckpointError(
      'CHECKPOINT_UNSAFE',
      `${this.options.source}: refuses ${what}: only tensors in plain containers are read and nothing in a file is executed; save the state_dict() of a model instead`,
      { subject: this.options.source, expected: 'tensors and plain containers', got: what },
    )
  }
}
