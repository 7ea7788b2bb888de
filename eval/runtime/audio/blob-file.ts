// SPDX-License-Identifier: Apache-2.0

import type { AudioFile } from './audio-source.ts'
import { ByteReader, blobInput } from './byte-reader.ts'

/**
 * A blob as a source.
 * @param save makes a file of what it is given
 */
export function openBlob(
  blob: Blob,
  save: (reader: ByteReader) => ReturnType<AudioFile['onDisk']>,
): AudioFile {
  const start = () => new ByteReader(blobInput(blob), blob.size)
  const file = (): AudioFile => ({
    reader: start(),
    isStream: false,
    rawRate: undefined,
    onDisk: () => save(start()),
    again: async () => file(),
    close: async () => undefined,
  })
  return file()
}
