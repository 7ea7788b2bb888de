import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { Failure } from '../failure.ts'

const READ_BYTES = 1 << 20

/** Part of a file as a Blob whose bytes are read when they are asked for: fetch sends it with its length. */
export class FileBlob extends Blob {
  declare readonly size: number
  readonly #path: string
  readonly #start: number
  readonly #end: number
  readonly #onBytes: ((count: number) => void) | undefined

  /** @param onBytes told of every chunk that is read */
  constructor(path: string, start: number, end: number, onBytes?: (count: number) => void) {
    super([])
    Object.defineProperty(this, 'size', { value: end - start }) // Blob's own is an accessor of its prototype
    this.#path = path
    this.#start = start
    this.#end = end
    this.#onBytes = onBytes
  }

  override slice(start = 0, end = this.size): FileBlob {
    const at = (offset: number) =>
      this.#start + Math.min(this.size, offset < 0 ? Math.max(0, this.size + offset) : offset)
    return new FileBlob(this.#path, at(start), Math.max(at(start), at(end)), this.#onBytes)
  }

  /** The same bytes; `onBytes` is told when they are read. */
  counted(onBytes: (count: number) => void): FileBlob {
    return new FileBlob(this.#path, this.#start, this.#end, onBytes)
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return Readable.toWeb(
      Readable.from(this.#read(), { objectMode: false, highWaterMark: READ_BYTES }),
    ) as ReadableStream<Uint8Array<ArrayBuffer>>
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const chunks: Buffer[] = []
    for await (const chunk of this.#read()) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  }

  override async text(): Promise<string> {
    return Buffer.from(await this.arrayBuffer()).toString('utf8')
  }

  /** @throws Failure when the file has become shorter */
  async *#read(): AsyncGenerator<Buffer> {
    if (this.size === 0) return
    const options = { start: this.#start, end: this.#end - 1, highWaterMark: READ_BYTES }
    let read = 0
    for await (const chunk of createReadStream(this.#path, options)) {
      read += (chunk as Buffer).length
      this.#onBytes?.((chunk as Buffer).length)
      yield chunk as Buffer
    }
    if (read < this.size)
      throw new Failure(`${this.#path} became shorter while it was read.`, 'Package it again, then publish.')
  }
}
