import { type FileHandle, open } from 'node:fs/promises'
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

  /** @returns chunks as they are asked for; the stream fails when the file has become shorter */
  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let file: FileHandle | undefined
    let at = this.#start
    const end = async () => {
      await file?.close()
      file = undefined
    }
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
      if (at === this.#end) {
        await end()
        controller.close()
        return
      }
      try {
        file ??= await open(this.#path)
        const chunk = new Uint8Array(Buffer.allocUnsafeSlow(Math.min(READ_BYTES, this.#end - at)).buffer)
        const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
        if (bytesRead === 0) throw shorter(this.#path)
        at += bytesRead
        this.#onBytes?.(bytesRead)
        controller.enqueue(chunk.subarray(0, bytesRead))
      } catch (error) {
        await end()
        throw error
      }
    }
    return new ReadableStream({ pull, cancel: end }, { highWaterMark: 0 })
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

function shorter(path: string): Failure {
  return new Failure(`${path} became shorter while it was read.`, 'Package it again, then publish.')
}
