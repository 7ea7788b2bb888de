// SPDX-License-Identifier: Apache-2.0

import { readSpeechFolder } from '../../eval/dataset/folder-dataset.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import { Failure } from '../shared/failure.ts'
import type { NamedClip } from './heard-clip.ts'

/** The recordings of the speech that ships. @throws Failure when one is missing */
export async function bundledClips(): Promise<NamedClip[]> {
  const utterances = await readSpeechFolder(BUNDLED_SPEECH)
  return utterances.map(({ id, path, problem }) => {
    if (path === undefined) throw new Failure(problem ?? `The recording ${id} is missing.`)
    return { id, file: path }
  })
}
