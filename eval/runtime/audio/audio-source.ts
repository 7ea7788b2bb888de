// SPDX-License-Identifier: Apache-2.0

import type { ByteReader } from './byte-reader.ts'

/** Where audio comes from: a file, a blob, or an open descriptor such as stdin (0), whose bytes may lack a header. */
export type AudioSource =
  | { readonly path: string }
  | { readonly blob: Blob; readonly name: string }
  | { readonly fd: number; readonly name: string; readonly rawRate?: number }

/** An open source. */
export interface AudioFile {
  readonly reader: ByteReader
  /** can be read once only */
  readonly isStream: boolean
  /** of 16-bit samples without a header */
  readonly rawRate: number | undefined
  /** The source as a file: a stream is written to the temp folder first. The reader is used up then. */
  onDisk(): Promise<{ readonly path: string; readonly head: Buffer }>
  /** The same source from its start. */
  again(): Promise<AudioFile>
  close(): Promise<void>
}

/** Bytes from the start of a file by which its format is recognized. */
export const HEAD = 64
