// SPDX-License-Identifier: Apache-2.0

import type { FileHandle } from 'node:fs/promises'

const CHUNK = 1 << 18

/** Bytes in their order, from a file or a stream. */
export interface ByteInput {
  /** the next bytes, at least one; undefined at the end */
  next(): Promise<Uint8Array | undefined>
  /** pass over bytes without reading them, where that is possible */
  skip?(count: number): void
}

/** Looks ahead in a {@link ByteInput}, and takes from it. Holds what was looked at, and no more. */
export class ByteReader {
  /** of the next byte */
  position = 0
  readonly #input: ByteInput
  readonly #size: number | undefined
  #held: Buffer = Buffer.alloc(0)
  #kept: Uint8Array[] | undefined

  /** @param size of the whole input in bytes, if it is known */
  constructor(input: ByteInput, size?: number) {
    this.#input = input
    this.#size = size
  }

  /** How many bytes follow, if that is known. */
  get remaining(): number | undefined {
    return this.#size === undefined ? undefined : Math.max(0, this.#size - this.position)
  }

  /** The next bytes, which stay; fewer than `count` only at the end. */
  async peek(count: number): Promise<Buffer> {
    const parts: Uint8Array[] = [this.#held]
    let length = this.#held.length
    while (length < count) {
      const bytes = await this.#input.next()
      if (bytes === undefined) break
      this.#kept?.push(bytes)
      parts.push(bytes)
      length += bytes.length
    }
    if (parts.length > 1) this.#held = Buffer.concat(parts)
    return this.#held.subarray(0, count)
  }

  /** The next bytes, which are gone then; fewer than `count` only at the end. */
  async take(count: number): Promise<Buffer> {
    const bytes = await this.peek(count)
    this.#drop(bytes.length)
    return bytes
  }

  /** Pass over bytes. */
  async skip(count: number): Promise<void> {
    let left = count - Math.min(count, this.#held.length)
    this.#drop(count - left)
    if (this.#input.skip && this.#kept === undefined) {
      this.#input.skip(left)
      this.position += left
      return
    }
    while (left > 0) {
      const bytes = await this.take(Math.min(left, CHUNK))
      if (bytes.length === 0) return
      left -= bytes.length
    }
  }

  /** Keep all bytes from here on until {@link forget}, so that {@link everything} has them. Before the first byte. */
  keep(): void {
    this.#kept = []
  }

  forget(): void {
    this.#kept = undefined
  }

  /** All bytes since {@link keep}, then all that follow. */
  async *everything(): AsyncGenerator<Uint8Array> {
    const kept = this.#kept ?? []
    this.forget()
    yield* kept
    for (let bytes = await this.#input.next(); bytes; bytes = await this.#input.next()) yield bytes
  }

  #drop(count: number): void {
    this.#held = this.#held.subarray(count)
    this.position += count
  }
}

/** The bytes of an open file, read by position. */
export function fileInput(handle: FileHandle): ByteInput {
  let position = 0
  return {
    async next() {
      const buffer = Buffer.allocUnsafe(CHUNK)
      const { bytesRead } = await handle.read(buffer, 0, CHUNK, position)
      position += bytesRead
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead)
    },
    skip(count) {
      position += count
    },
  }
}

/** The bytes of a blob. */
export function blobInput(blob: Blob): ByteInput {
  let position = 0
  return {
    async next() {
      const bytes = Buffer.from(await blob.slice(position, position + CHUNK).arrayBuffer())
      position += bytes.length
      return bytes.length === 0 ? undefined : bytes
    },
    skip(count) {
      position += count
    },
  }
}

/** The bytes of a stream. */
export function streamInput(stream: AsyncIterable<Uint8Array>): ByteInput {
  const iterator = stream[Symbol.asyncIterator]()
  return {
    async next() {
      for (;;) {
        const { value, done } = await iterator.next()
        if (done) return undefined
        if (value.length > 0) return value
      }
    },
  }
}
