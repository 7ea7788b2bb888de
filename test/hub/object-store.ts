// SPDX-License-Identifier: Apache-2.0

import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSparse } from './sparse-file.ts'

/** Bytes that have arrived and are not yet an object. */
export interface Received {
  readonly path: string
  readonly size: number
  readonly sha256: string
}

const READ_BYTES = 1 << 20

/** Objects by sha256, on disk: nothing is held in memory. */
export class ObjectStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(join(folder, 'objects'), { recursive: true })
    mkdirSync(join(folder, 'partial'), { recursive: true })
  }

  /** @returns undefined when there is no such object */
  size(sha256: string): number | undefined {
    return statSync(this.path(sha256), { throwIfNoEntry: false })?.size
  }

  path(sha256: string): string {
    return join(this.#folder, 'objects', sha256)
  }

  read(sha256: string): Promise<Buffer> {
    return readFile(this.path(sha256))
  }

  /** Small ones, of tests. */
  put(bytes: Uint8Array): string {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(this.path(sha256), bytes)
    return sha256
  }

  async receive(pieces: AsyncIterable<Uint8Array>): Promise<Received> {
    const path = this.newPartial()
    const hash = createHash('sha256')
    try {
      const size = await writeSparse(path, pieces, hash)
      return { path, size, sha256: hash.digest('hex') }
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  /** Make an object of what was received, if it is the one that was promised. */
  async keep(received: Received, promised: { sha256: string; size: number }): Promise<string | undefined> {
    const { path, size, sha256 } = received
    if (size === promised.size && sha256 === promised.sha256) {
      await rename(path, this.path(sha256))
      return undefined
    }
    await rm(path)
    return `got ${size} bytes with sha256 ${sha256}, not ${promised.size} with ${promised.sha256}`
  }

  newPartial(): string {
    return join(this.#folder, 'partial', randomUUID())
  }

  /** Flip a byte in the middle of an object, which keeps its name. */
  async corrupt(sha256: string): Promise<void> {
    await flipByte(this.path(sha256))
  }
}

export async function flipByte(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const at = (await file.stat()).size >> 1
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
    buffer[0] = (buffer[0] ?? 0) ^ 0xff
    await file.write(buffer, 0, 1, at)
  } finally {
    await file.close()
  }
}

/** The bytes of several files, one after the other. */
export async function* concatenate(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths) yield* createReadStream(path, { highWaterMark: READ_BYTES })
}
