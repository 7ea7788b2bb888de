// SPDX-License-Identifier: Apache-2.0

import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { concatenate, flipByte, type ObjectStore } from './object-store.ts'
import { writeSparse } from './sparse-file.ts'

interface Part {
  readonly path: string
  readonly etag: string
}

interface Upload {
  readonly sha256: string
  readonly size: number
  readonly count: number
  readonly parts: Map<number, Part>
}

/** Uploads in parts, each of which is good for its own upload alone and for one attempt to complete it. */
export class Multiparts {
  readonly #objects: ObjectStore
  readonly #uploads = new Map<string, Upload>()

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  begin(sha256: string, size: number, count: number): string {
    const id = randomUUID()
    this.#uploads.set(id, { sha256, size, count, parts: new Map() })
    return id
  }

  /** The object that an upload is about. */
  sha256Of(id: string): string | undefined {
    return this.#uploads.get(id)?.sha256
  }

  /** A part that comes again replaces the one before, once all of it has arrived. */
  async put(
    id: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    isCorrupted: boolean,
  ): Promise<{ etag: string; size: number } | undefined> {
    const upload = this.#uploads.get(id)
    if (!upload) return undefined
    const path = this.#objects.newPartial()
    try {
      const size = await writeSparse(path, body)
      if (isCorrupted) await flipByte(path)
      const etag = `"${randomBytes(16).toString('hex')}"`
      const before = upload.parts.get(number)
      upload.parts.set(number, { path, etag })
      if (before) await rm(before.path)
      return { etag, size }
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  /** @returns what is wrong, or undefined when the object is stored; the upload is over in both cases */
  async complete(id: string, given: unknown): Promise<string | undefined> {
    const upload = this.#uploads.get(id)
    if (!upload) return 'The specified upload does not exist'
    this.#uploads.delete(id)
    const paths = [...upload.parts].sort(([a], [b]) => a - b).map(([, { path }]) => path)
    try {
      const problem = problemOf(upload, given)
      if (problem !== undefined) return problem
      return await this.#objects.keep(await this.#objects.receive(concatenate(paths)), upload)
    } finally {
      await Promise.all(paths.map((path) => rm(path, { force: true })))
    }
  }
}

function problemOf({ sha256, count, parts }: Upload, given: unknown): string | undefined {
  const { oid, parts: listed } = (given ?? {}) as { oid?: unknown; parts?: unknown }
  if (oid !== sha256) return `the upload is about ${sha256}, not ${oid}`
  if (!Array.isArray(listed) || listed.length !== count) return `there are ${count} parts`
  for (const [i, { partNumber, etag }] of listed.entries()) {
    if (partNumber !== i + 1) return `part ${i + 1} is missing, or out of order`
    if (etag === undefined || parts.get(partNumber)?.etag !== etag)
      return `part ${partNumber} has no such ETag`
  }
  return undefined
}
