// SPDX-License-Identifier: Apache-2.0

import { type OpenFile, openFile } from './platform/random-access.ts'

/* The wire format of protobuf (protobuf.dev/programming-guides/encoding), of files whose large values stay where they are. */

/** A field of a message in a file. Places are bytes of the file. */
export interface ProtoField {
  readonly number: number
  /** of the tag */
  readonly start: number
  /** of the value, behind its length */
  readonly body: number
  readonly end: number
  /** of a varint; 0 of other types */
  readonly value: number
}

/** Bytes that are read at once: a field's tag and length, and mostly those that follow. */
const AHEAD = 1 << 16
const VARINT = 0
const BYTES = 2
/** Bytes of a value, by wire type. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

/** Reads a message's fields without reading the values that are not asked for. */
export class ProtoFile {
  readonly size: number
  readonly #file: OpenFile
  #ahead = Buffer.alloc(0)
  #at = 0

  /** @throws the system's error when it cannot be opened */
  constructor(path: string) {
    this.#file = openFile(path)
    this.size = this.#file.size
  }

  close(): void {
    this.#file.close()
  }

  /** @throws RangeError when the file ends before */
  read(start: number, end: number): Buffer {
    if (start >= this.#at && end <= this.#at + this.#ahead.length)
      return this.#ahead.subarray(start - this.#at, end - this.#at)
    const bytes = Buffer.allocUnsafe(end - start)
    if (this.#file.read(bytes, start) < bytes.length)
      throw new RangeError(`The file ends before byte ${end}.`)
    return bytes
  }

  /**
   * The fields of the message from `start` to `end`.
   * @throws RangeError when a field reaches beyond it, or is of a type that the format does not have
   */
  *fields(start = 0, end = this.size): Generator<ProtoField> {
    for (let at = start; at < end; ) {
      const [tag, behind] = this.#varint(at)
      const field = this.#field(tag, at, behind)
      if (field.end > end) throw new RangeError(`The field at byte ${at} ends behind its message.`)
      yield field
      at = field.end
    }
  }

  #field(tag: number, start: number, behind: number): ProtoField {
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    if (type === VARINT) {
      const [value, end] = this.#varint(behind)
      return { number, start, body: behind, end, value }
    }
    const [length, body] = type === BYTES ? this.#varint(behind) : [FIXED[type], behind]
    if (length === undefined) throw new RangeError(`The field at byte ${start} is of wire type ${type}.`)
    return { number, start, body, end: body + length, value: 0 }
  }

  /** @returns the value and where it ends; values above 2^53 lose their lowest bits */
  #varint(start: number): [number, number] {
    let value = 0
    for (let at = start, scale = 1; ; at++, scale *= 128) {
      const byte = this.#byte(at)
      value += (byte & 127) * scale
      if (byte < 128) return [value, at + 1]
    }
  }

  #byte(at: number): number {
    if (at < this.#at || at >= this.#at + this.#ahead.length) {
      const bytes = Buffer.allocUnsafe(AHEAD)
      this.#ahead = bytes.subarray(0, this.#file.read(bytes, at))
      this.#at = at
    }
    const byte = this.#ahead[at - this.#at]
    if (byte === undefined) throw new RangeError(`The file ends before byte ${at + 1}.`)
    return byte
  }
}

/** A field that holds a message, bytes or text. */
export function bytesField(number: number, value: Uint8Array | string): Buffer {
  const body = Buffer.from(value)
  return Buffer.concat([varint(number * 8 + BYTES), varint(body.length), body])
}

/** A field that holds a whole number from 0 on. */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8 + VARINT), varint(value)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}
