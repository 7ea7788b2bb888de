// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import type { ListedUtterance } from './listed.ts'

/** Audio that a page carries at most, in bytes; what has the most errors comes first. */
const AUDIO_BUDGET = 48_000_000

/** Which audio a page carries: `audioBudget` is in bytes. */
export interface AudioOptions {
  /** where the audio of an utterance is, if it is here */
  readonly audioPath: (dataset: string, key: string) => string | undefined
  readonly audioBudget?: number
}

/** An audio file within a page: its MIME type and its bytes. */
export interface EmbeddedAudio {
  readonly type: string
  readonly base64: string
}

/** By place in the list. */
export async function embedAudio(
  utterances: readonly ListedUtterance[],
  { audioPath, audioBudget = AUDIO_BUDGET }: AudioOptions,
): Promise<ReadonlyMap<number, EmbeddedAudio>> {
  const out = new Map<number, EmbeddedAudio>()
  const errorsOf = (i: number) =>
    Math.max(0, ...(utterances[i]?.results.map((result) => result?.errors ?? 0) ?? []))
  const order = [...utterances.keys()].sort((a, b) => errorsOf(b) - errorsOf(a) || a - b)
  let left = audioBudget
  for (const i of order) {
    const { dataset, key } = utterances[i] as ListedUtterance
    const path = audioPath(dataset, key)
    const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined)
    const type = bytes && mediaType(bytes)
    if (!bytes || !type || bytes.length > left) continue
    left -= bytes.length
    out.set(i, { type, base64: bytes.toString('base64') })
  }
  return out
}

/** What browsers play, by its first bytes. */
function mediaType(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1')
  if (head.startsWith('fLaC')) return 'audio/flac'
  if (head.startsWith('RIFF')) return 'audio/wav'
  if (head.startsWith('OggS')) return 'audio/ogg'
  if (head.slice(4, 8) === 'ftyp') return 'audio/mp4'
  return head.startsWith('ID3') || (bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0)
    ? 'audio/mpeg'
    : undefined
}
