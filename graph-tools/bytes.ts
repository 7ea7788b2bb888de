import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { GraphError } from './graph-error.ts'

/** A range of a file: bytes `start` (inclusive) to `end` (exclusive). Offsets are exact up to 2^53. */
export interface FileRange {
  readonly path: string
  readonly start: number
  readonly end: number
}

/** Bytes that are computed while they are written. */
export interface Produced {
  readonly length: number
  produce(): AsyncGenerator<Uint8Array>
}

/** Bytes in memory, a range of a file that is copied when the result is written, or bytes computed then. */
export type Content = Uint8Array | FileRange | Produced

/** Enough for the nodes around one place, little enough to read for each weight that is skipped. */
const WINDOW = 1 << 16
/** A message that is read whole (a shape, a small constant) is never larger. */
const READ_LIMIT = 64 << 20

/**
 * Random access to a serialized model. A file is read through a small window, so that gigabytes of weights between
 * the structure cost nothing; it is opened for each read, and refused when it is no longer the file it was.
 */
export class Bytes {
  readonly length: number
  /** the file, or undefined for bytes in memory */
  readonly path: string | undefined
  readonly #identity: string
  #window: Uint8Array
  #base = 0

  private constructor(window: Uint8Array, length: number, path: string | undefined, identity: string) {
    this.#window = window
    this.length = length
    this.path = path
    this.#identity = identity
  }

  static of(memory: Uint8Array): Bytes {
    return new Bytes(memory, memory.length, undefined, '')
  }

  /** @throws the system's error when the file cannot be opened */
  static open(path: string): Bytes {
    const fd = openSync(path, 'r')
    try {
      const info = fstatSync(fd)
      if (info.isDirectory()) throw new GraphError(`${path} is a folder, wanted an ONNX file.`)
      return new Bytes(new Uint8Array(0), info.size, path, identityOf(info))
    } finally {
      closeSync(fd)
    }
  }

  /** The byte at `position`, which must be inside. */
  at(position: number): number {
    let index = position - this.#base
    if (index < 0 || index >= this.#window.length) {
      this.#load(position)
      index = position - this.#base
    }
    return this.#window[index] as number
  }

  /**
   * Bytes `start` to `end` in memory; valid for good.
   * @throws GraphError when they are more than a small message can have
   */
  read(start: number, end: number): Uint8Array {
    if (this.path === undefined) return this.#window.subarray(start, end)
    if (end - start > READ_LIMIT) {
      throw new GraphError(
        `The message at byte ${start} has ${end - start} bytes, wanted at most ${READ_LIMIT}.`,
      )
    }
    const index = start - this.#base
    if (index >= 0 && index + end - start <= this.#window.length) {
      return this.#window.slice(index, index + end - start)
    }
    const out = new Uint8Array(end - start)
    this.#fill(out, start)
    return out
  }

  /** The same bytes as something to write: a view of memory, or a range of the file. */
  slice(start: number, end: number): Uint8Array | FileRange {
    return this.path === undefined ? this.#window.subarray(start, end) : { path: this.path, start, end }
  }

  #load(position: number): void {
    if (this.path === undefined || position < 0 || position >= this.length) {
      throw new GraphError(`There is no byte ${position}: the model has ${this.length}.`)
    }
    const window = new Uint8Array(Math.min(WINDOW, this.length - position))
    this.#fill(window, position)
    this.#window = window
    this.#base = position
  }

  #fill(out: Uint8Array, position: number): void {
    const fd = openSync(this.path as string, 'r')
    try {
      let filled = identityOf(fstatSync(fd)) === this.#identity ? 0 : -1
      while (filled >= 0 && filled < out.length) {
        const read = readSync(fd, out, filled, out.length - filled, position + filled)
        filled = read === 0 ? -1 : filled + read
      }
      if (filled < 0) throw new GraphError(`${this.path} was changed while it was being read.`, 'Run again.')
    } finally {
      closeSync(fd)
    }
  }
}

function identityOf(info: Stats): string {
  return `${info.dev} ${info.ino} ${info.size} ${info.mtimeMs}`
}
