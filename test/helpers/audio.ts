// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openAudioFile } from '../../eval/runtime/audio/audio-file.ts'
import { decodeAudio } from '../../eval/runtime/audio/decode.ts'
import { temporaryFolder } from './folder.ts'

/** A new file that goes away with the test. */
export async function fileOf(bytes: Uint8Array, name = 'clip'): Promise<string> {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, bytes)
  return path
}

/** A stretch of one format. */
export interface Part {
  readonly sampleRate: number
  readonly channels: readonly number[][]
}

/** All channels at the file's own rate, as a decoder gives them; `channels` are those of the first part. */
export async function decodeBytes(bytes: Uint8Array) {
  const notes: string[] = []
  const file = await openAudioFile({ path: await fileOf(bytes) })
  const parts: Part[] = []
  try {
    const { blocks } = await decodeAudio(file, notes)
    for await (const { sampleRate, channels } of blocks) append(parts, sampleRate, channels)
  } finally {
    await file.close()
  }
  return { parts, notes, sampleRate: parts[0]?.sampleRate ?? 0, channels: parts[0]?.channels ?? [] }
}

/** What files one behind the other should give. */
export async function partsOf(files: readonly Uint8Array[]): Promise<Part[]> {
  const parts: Part[] = []
  for (const bytes of files) {
    for (const { sampleRate, channels } of (await decodeBytes(bytes)).parts)
      append(parts, sampleRate, channels)
  }
  return parts
}

function append(parts: Part[], sampleRate: number, channels: readonly ArrayLike<number>[]): void {
  const last = parts.at(-1)
  const continues = last?.sampleRate === sampleRate && last.channels.length === channels.length
  const part = continues ? last : { sampleRate, channels: channels.map(() => []) }
  if (!continues) parts.push(part)
  for (const [i, samples] of channels.entries()) {
    const all = part.channels[i]
    for (let at = 0; at < samples.length; at++) all?.push(samples[at] as number)
  }
}

/** Equal to the last bit; a failure of toEqual prints thousands of numbers. */
export function isSame(one: readonly Part[], other: readonly Part[]): boolean {
  const isEqual = (a: readonly number[], b: readonly number[] = []) =>
    a.length === b.length && a.every((value, i) => value === b[i])
  return (
    one.length === other.length &&
    one.every(
      ({ sampleRate, channels }, i) =>
        sampleRate === other[i]?.sampleRate &&
        channels.length === other[i].channels.length &&
        channels.every((samples, k) => isEqual(samples, other[i]?.channels[k])),
    )
  )
}
