// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { folderDataset } from '../../eval/dataset/folder-dataset.ts'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { MAX_PIECE_SECONDS } from '../../eval/runtime/limits.ts'
import { Failure } from '../shared/failure.ts'
import type { Paths } from '../shared/paths.ts'

/** An interval is drawn from clips: of one there is none. */
const FEWEST = 2

/** One recording that variants are judged on. */
export interface JudgedClip {
  readonly id: string
  readonly path: string
  readonly seconds: number
  /** of its float32 samples */
  readonly sha256: string
}

/** The recordings that a recipe is judged on. */
export interface JudgedClips {
  readonly dataset: Dataset
  readonly clips: readonly JudgedClip[]
  /** of all samples, in order */
  readonly fingerprint: string
}

/**
 * The recordings that a command judges on. Each is read once, for its hash.
 * @throws Failure when there are too few, or one is too long or cannot be read
 */
export async function openJudgedClips(
  { work }: Pick<Paths, 'work'>,
  { speech, nSamples }: { readonly speech: string; readonly nSamples?: number },
  signal: AbortSignal,
): Promise<JudgedClips> {
  const selection =
    nSamples === undefined
      ? ({ sample: 'all', count: Number.POSITIVE_INFINITY, seed: 0 } as const)
      : ({ sample: 'first', count: nSamples, seed: 0 } as const)
  const dataset = await folderDataset(speech, selection, { cache: join(work, 'datasets') })
  if (dataset.count < FEWEST)
    throw new Failure(
      `${speech}: ${dataset.count} clip is chosen, wanted at least ${FEWEST}.`,
      'Name a folder with more recordings with --speech, or leave --n-samples out.',
    )
  const hash = createHash('sha256')
  const clips: JudgedClip[] = []
  for await (const { id, key, path, problem } of dataset.utterances(() => true, signal)) {
    if (path === undefined) throw new Failure(problem ?? `The recording ${id} is missing.`)
    const { samples } = await loadClip(path, signal)
    const seconds = samples.length / SAMPLE_RATE
    if (seconds > MAX_PIECE_SECONDS)
      throw new Failure(
        `${path} has ${seconds.toFixed(0)} s, wanted at most ${MAX_PIECE_SECONDS} s: a clip is judged as one piece.`,
        'Judge on shorter recordings.',
      )
    const sha256 = createHash('sha256').update(bytesOf(samples)).digest('hex')
    hash.update(`${key} ${sha256}\n`)
    clips.push({ id: `${clips.length}-${id}`, path, seconds, sha256 })
  }
  return { dataset, clips, fingerprint: hash.digest('hex').slice(0, 16) }
}

/** The bytes of samples, not copied. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
