// SPDX-License-Identifier: Apache-2.0

import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { GraphError } from './graph-error.ts'

/* Bytes of files, read by offset and never changed in place. */

/** Bytes `start` (inclusive) to `end` (exclusive) of a file. Offsets are exact up to 2^53. */
export interface Span {
  readonly path: string
  readonly start: number
  readonly end: number
}

/** A range of a file as it was when the range was made; reading it is refused once the file has changed. */
export interface FileRange extends Span {
  /** see {@link identityOf} */
  readonly identity: string
}

/** Bytes that are computed while they are written. */
export interface Produced {
  readonly length: number
  produce(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** Bytes in memory, a range of a file that is copied when the result is written, or bytes computed then. */
export type Content = Uint8Array | FileRange | Produced

/** How files are opened to be read: a FIFO opens at once, and is refused for what it is. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK

/** Enough for the nodes around one place, little enough to read for each weight that is skipped. */
const WINDOW = 1 << 16
/** A message that is read whole (a shape, a small constant) is never larger. */
const READ_LIMIT = 64 << 20

/**
 * Random access to a serialized model. A file is read through a small window, so that gigabytes of weights between
 * the structure cost nothing. It is opened for each read, and refused when it is no longer the file it was.
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

  /**
   * @throws GraphError when it is not a regular file
   * @throws the system's error when it cannot be opened
   */
  static open(path: string): Bytes {
    const { size, identity } = fileState(path)
    return new Bytes(new Uint8Array(0), size, path, identity)
  }

  /**
   * The byte at `position`.
   * @throws GraphError when it is not inside, or the file has changed
   */
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
   * @throws GraphError when they are more than a small message can have, or the file has changed
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
    this.#fill(this.path, out, start)
    return out
  }

  /** The same bytes as something to write: a view of memory, or a range of the file. */
  slice(start: number, end: number): Uint8Array | FileRange {
    if (this.path === undefined) return this.#window.subarray(start, end)
    return { path: this.path, identity: this.#identity, start, end }
  }

  /** @throws GraphError when the file is no longer the one that was opened */
  refuseChanged(): void {
    if (this.path !== undefined) this.#fill(this.path, new Uint8Array(0), 0)
  }

  #load(position: number): void {
    if (this.path === undefined || position < 0 || position >= this.length) {
      throw new GraphError(`There is no byte ${position}: the model has ${this.length}.`)
    }
    const window = new Uint8Array(Math.min(WINDOW, this.length - position))
    this.#fill(this.path, window, position)
    this.#window = window
    this.#base = position
  }

  #fill(path: string, out: Uint8Array, position: number): void {
    const fd = openSync(path, READ_FLAGS)
    try {
      let filled = identityOf(fstatSync(fd, { bigint: true })) === this.#identity ? 0 : -1
      while (filled >= 0 && filled < out.length) {
        const read = readSync(fd, out, filled, out.length - filled, position + filled)
        filled = read === 0 ? -1 : filled + read
      }
      if (filled < 0) throw changedError(path)
    } finally {
      closeSync(fd)
    }
  }
}

/** What distinguishes a file from another one in its place, and from itself after a change. */
export function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs}`
}

/**
 * A file's size in bytes and its identity.
 * @throws GraphError when it is not a regular file: a folder, a FIFO, a device
 * @throws the system's error when it cannot be opened
 */
export function fileState(path: string): { size: number; identity: string } {
  const fd = openSync(path, READ_FLAGS)
  try {
    const info = fstatSync(fd, { bigint: true })
    if (!info.isFile()) {
      const found = info.isDirectory() ? 'a folder' : 'not a regular file'
      throw new GraphError(`${path} is ${found}, wanted a file.`)
    }
    return { size: Number(info.size), identity: identityOf(info) }
  } finally {
    closeSync(fd)
  }
}

/** For readers of a file that is no longer the one that was opened. */
export function changedError(path: string): GraphError {
  return new GraphError(
    `${path} has changed since it was opened.`,
    'Run again; a library caller opens it again.',
  )
}
