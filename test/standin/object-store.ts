import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/** An upload in parts, which are good for this upload alone. */
export interface Multipart {
  readonly id: string
  readonly oid: string
  readonly size: number
  readonly partSize: number
  readonly etags: Map<number, string>
}

/** Larger than what a socket gives at once. */
const WRITE_BYTES = 1 << 20
const ZEROS = Buffer.alloc(WRITE_BYTES)

/**
 * Objects by sha256, on disk; runs of zeros become holes, so that gigabytes of a sparse file cost nothing. Nothing is
 * held in memory, and nothing is stored whose bytes do not have the promised hash.
 */
export class ObjectStore {
  readonly folder: string
  readonly #multiparts = new Map<string, Multipart>()

  constructor(folder: string) {
    this.folder = folder
  }

  async size(oid: string): Promise<number | undefined> {
    return (await stat(this.path(oid)).catch(() => undefined))?.size
  }

  path(oid: string): string {
    return join(this.folder, oid)
  }

  async put(bytes: Uint8Array): Promise<string> {
    const oid = createHash('sha256').update(bytes).digest('hex')
    await mkdir(this.folder, { recursive: true })
    const file = await open(this.path(oid), 'w')
    await file.writeFile(bytes)
    await file.close()
    return oid
  }

  /** @returns what is wrong with it, or undefined when it is stored */
  async receive(
    oid: string,
    size: number,
    body: Readable,
    isCorrupted: boolean,
  ): Promise<string | undefined> {
    const partial = join(this.folder, `basic-${randomUUID()}`)
    const received = await this.#write(partial, 0, body)
    const found = await hashOf(partial)
    if (received !== size || (found !== oid && !isCorrupted)) {
      await rm(partial)
      return `got ${received} bytes with sha256 ${found}, wanted ${size} with ${oid}`
    }
    await rename(partial, this.path(oid))
    if (isCorrupted) await this.corrupt(oid)
    return undefined
  }

  begin(oid: string, size: number, partSize: number): Multipart {
    const multipart = { id: randomUUID(), oid, size, partSize, etags: new Map<number, string>() }
    this.#multiparts.set(multipart.id, multipart)
    return multipart
  }

  /** @returns the part's ETag */
  async part(id: string, number: number, body: Readable): Promise<string | undefined> {
    const multipart = this.#multiparts.get(id)
    if (!multipart) return undefined
    const before = this.#partial(id)
    const length = await this.#write(before, (number - 1) * multipart.partSize, body)
    const wanted = Math.min(multipart.partSize, multipart.size - (number - 1) * multipart.partSize)
    if (length !== wanted) return undefined
    const etag = `"${createHash('md5').update(`${id} ${number} ${length}`).digest('hex')}"`
    multipart.etags.set(number, etag)
    return etag
  }

  /** @returns what is wrong, or undefined when the object is stored; either way the upload is over */
  async complete(
    id: string,
    parts: readonly { partNumber: number; etag: string }[],
  ): Promise<string | undefined> {
    const multipart = this.#multiparts.get(id)
    if (!multipart) return 'no such upload'
    this.#multiparts.delete(id)
    const { oid, size, partSize, etags } = multipart
    const count = Math.ceil(size / partSize)
    const fits =
      parts.length === count &&
      parts.every(({ partNumber, etag }, i) => partNumber === i + 1 && etags.get(i + 1) === etag)
    if (!fits) return 'wrong parts'
    await truncate(this.#partial(id), size)
    const found = await hashOf(this.#partial(id))
    if (found !== oid) {
      await rm(this.#partial(id))
      return `sha256 is ${found}, wanted ${oid}`
    }
    await rename(this.#partial(id), this.path(oid))
    return undefined
  }

  /** Flip a bit in the middle of a stored object, which keeps its name. */
  async corrupt(oid: string): Promise<void> {
    const file = await open(this.path(oid), 'r+')
    const at = (await file.stat()).size >> 1
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ 1
    await file.write(byte, 0, 1, at)
    await file.close()
  }

  #partial(id: string): string {
    return join(this.folder, `multipart-${id}`)
  }

  async #write(path: string, start: number, body: Readable): Promise<number> {
    await mkdir(this.folder, { recursive: true })
    const file = await open(path, 'a').then(async (made) => {
      await made.close()
      return open(path, 'r+')
    })
    try {
      return await writeSparse(file, start, body)
    } finally {
      await file.close()
    }
  }
}

async function writeSparse(file: FileHandle, start: number, body: Readable): Promise<number> {
  let [at, filled] = [start, 0]
  const gathered = Buffer.allocUnsafe(WRITE_BYTES)
  const flush = async () => {
    const part = gathered.subarray(0, filled)
    if (!part.equals(ZEROS.subarray(0, filled))) await file.write(part, 0, filled, at)
    at += filled
    filled = 0
  }
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (filled + chunk.length > WRITE_BYTES) await flush()
    filled += chunk.copy(gathered, filled)
  }
  await flush()
  const { size } = await file.stat()
  if (size < at) await file.truncate(at)
  return at - start
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
