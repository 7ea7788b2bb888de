// SPDX-License-Identifier: Apache-2.0

import { mkdirSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileHash, hashToHex, verificationHash } from '@huggingface/xetchunk-wasm'
import type { ObjectStore } from './object-store.ts'
import type { FileSlice } from './reply.ts'
import { parseShard, type ShardFile, type ShardXorb, type Term } from './shard.ts'
import { chunksOfXorb, unpackChunk, type XorbChunk } from './xorb.ts'

interface Xorb {
  readonly path: string
  readonly chunks: readonly XorbChunk[]
}

export interface XetFile {
  readonly size: number
  readonly terms: readonly Term[]
}

/** Xorbs on disk, and the files that shards make of their chunks. */
export class XetStore {
  readonly #folder: string
  readonly #objects: ObjectStore
  readonly #xorbs = new Map<string, Xorb>()
  readonly #files = new Map<string, XetFile>()
  readonly #hashes = new Map<string, string>()

  constructor(folder: string, objects: ObjectStore) {
    this.#folder = join(folder, 'xorbs')
    this.#objects = objects
    mkdirSync(this.#folder, { recursive: true })
  }

  file(hash: string): XetFile | undefined {
    return this.#files.get(hash)
  }

  /** The hash that xet has for an object, when it came by xet. */
  hashOf(sha256: string): string | undefined {
    return this.#hashes.get(sha256)
  }

  chunksOf(xorb: string): readonly XorbChunk[] {
    return this.#xorbs.get(xorb)?.chunks ?? []
  }

  fileOf(xorb: string): FileSlice | undefined {
    const known = this.#xorbs.get(xorb)
    return known && { file: known.path, start: 0, end: known.chunks.at(-1)?.end ?? 0 }
  }

  /**
   * @returns whether it is new
   * @throws Error when it is not the xorb of that name
   */
  async addXorb(hash: string, body: Buffer): Promise<boolean> {
    const chunks = chunksOfXorb(body, hash)
    if (this.#xorbs.has(hash)) return false
    const path = join(this.#folder, hash)
    await writeFile(path, body)
    this.#xorbs.set(hash, { path, chunks })
    return true
  }

  /**
   * Put together and keep the files of a shard.
   * @returns the sha256 of each
   * @throws Error when something in it is not so
   */
  async addShard(body: Buffer): Promise<string[]> {
    const { files, xorbs } = parseShard(body)
    for (const xorb of xorbs) this.#checkXorb(xorb)
    for (const file of files) {
      this.#checkFile(file)
      const { hash, sha256, terms } = file
      const size = terms.reduce((sum, { length }) => sum + length, 0)
      const problem = await this.#objects.keep(await this.#objects.receive(this.#bytesOf(terms)), {
        sha256,
        size,
      })
      if (problem !== undefined) throw new Error(`the file ${hash}: ${problem}`)
      this.#files.set(hash, { size, terms })
      this.#hashes.set(sha256, hash)
    }
    return files.map(({ sha256 }) => sha256)
  }

  #checkXorb({ hash, chunks }: ShardXorb): void {
    const known = this.chunksOf(hash)
    const isSame =
      known.length === chunks.length &&
      known.every(
        (chunk, i) => hashToHex(chunk.hash) === chunks[i]?.hash && chunk.length === chunks[i]?.length,
      )
    if (!isSame) throw new Error(`the xorb ${hash} was not uploaded, or has other chunks`)
  }

  #checkFile({ hash, terms }: ShardFile): void {
    const chunks: XorbChunk[] = []
    for (const { xorb, start, end, length, rangeHash } of terms) {
      const part = this.chunksOf(xorb).slice(start, end)
      if (start >= end || part.length !== end - start)
        throw new Error(`the xorb ${xorb} has no chunks ${start} to ${end}`)
      if (part.reduce((sum, chunk) => sum + chunk.length, 0) !== length)
        throw new Error(`chunks ${start} to ${end} of the xorb ${xorb} are not ${length} bytes`)
      if (hashToHex(verificationHash(part.map((chunk) => chunk.hash))) !== rangeHash)
        throw new Error(`the proof of chunks ${start} to ${end} of the xorb ${xorb} is wrong`)
      chunks.push(...part)
    }
    const found = hashToHex(fileHash(chunks))
    if (found !== hash) throw new Error(`the hash of the file is ${found}, not ${hash}`)
  }

  async *#bytesOf(terms: readonly Term[]): AsyncGenerator<Buffer> {
    for (const { xorb, start, end } of terms) {
      const known = this.#xorbs.get(xorb)
      if (!known) continue
      const file = await open(known.path)
      try {
        for (const { start: from, end: to } of known.chunks.slice(start, end)) {
          const { buffer } = await file.read(Buffer.alloc(to - from), 0, to - from, from)
          yield unpackChunk(buffer)
        }
      } finally {
        await file.close()
      }
    }
  }
}
