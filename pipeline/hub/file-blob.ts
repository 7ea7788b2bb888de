// SPDX-License-Identifier: Apache-2.0

import { open } from 'node:fs/promises'
import { Failure } from '../shared/failure.ts'

const READ_BYTES = 1 << 18

/** Part of a file as a Blob whose bytes are read when they are asked for: fetch sends it with its length. */
export class FileBlob extends Blob {
  declare readonly size: number
  readonly #path: string
  readonly #start: number
  readonly #end: number
  readonly #onBytes: ((count: number) => void) | undefined
  readonly #onError: ((error: unknown) => void) | undefined

  /**
   * @param onBytes called with every chunk that is read
   * @param onError called with why a file could not be read, of which fetch says nothing clear
   */
  constructor(
    path: string,
    start: number,
    end: number,
    onBytes?: (count: number) => void,
    onError?: (error: unknown) => void,
  ) {
    super([])
    Object.defineProperty(this, 'size', { value: end - start }) // Blob's own is an accessor of its prototype
    this.#path = path
    this.#start = start
    this.#end = end
    this.#onBytes = onBytes
    this.#onError = onError
  }

  override slice(start = 0, end = this.size): FileBlob {
    const at = (offset: number) =>
      this.#start + Math.min(this.size, offset < 0 ? Math.max(0, this.size + offset) : offset)
    return new FileBlob(this.#path, at(start), Math.max(at(start), at(end)), this.#onBytes, this.#onError)
  }

  /** The same bytes, reported as they are read. */
  watched(onBytes: (count: number) => void, onError: (error: unknown) => void): FileBlob {
    return new FileBlob(this.#path, this.#start, this.#end, onBytes, onError)
  }

  /**
   * The file is opened for each chunk: a request that fails drops its body without a word, and an open file with it.
   * @returns chunks as they are asked for; the stream fails when the file has become shorter
   */
  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let at = this.#start
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
      if (at === this.#end) {
        controller.close()
        return
      }
      const chunk = await readPart(this.#path, at, Math.min(READ_BYTES, this.#end - at)).catch((error) => {
        this.#onError?.(error)
        throw error
      })
      at += chunk.length
      this.#onBytes?.(chunk.length)
      controller.enqueue(chunk)
    }
    return new ReadableStream({ pull }, { highWaterMark: 0 })
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size)
    let filled = 0
    for await (const chunk of this.stream()) {
      bytes.set(chunk, filled)
      filled += chunk.length
    }
    return bytes.buffer
  }

  override async text(): Promise<string> {
    return Buffer.from(await this.arrayBuffer()).toString('utf8')
  }
}

async function readPart(path: string, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path)
  try {
    const chunk = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    const { bytesRead } = await file.read(chunk, 0, length, at)
    if (bytesRead > 0) return chunk.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
  throw new Failure(`${path} became shorter while it was read.`, 'Package it again, then publish.')
}
