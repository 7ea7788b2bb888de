// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import type * as AudioFiles from './audio-file.ts'
import { HEAD } from './audio-source.ts'
import { openBlob } from './blob-file.ts'

/** A page has blobs alone. @throws SpeechError naming what is none, or is empty */
export const openAudioFile: typeof AudioFiles.openAudioFile = async (source) => {
  if (!('blob' in source)) throw new SpeechError('A page cannot read paths.', 'Give the file itself.')
  if (source.blob.size === 0) throw new SpeechError(`${source.name}: The file is empty (0 bytes).`)
  return openBlob(source.blob, async (reader) => ({ path: source.name, head: await reader.peek(HEAD) }))
}
