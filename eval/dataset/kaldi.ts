// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { SpeechError } from '../runtime/speech-error.ts'
import { readLines } from '../text-file.ts'
import type { Entry, Span } from './entry.ts'

interface Segment extends Span {
  readonly recording: string
}

/**
 * A Kaldi data directory (https://kaldi-asr.org/doc/data_prep.html): wav.scp, text, and if there are any, segments and
 * utt2spk. Recordings that are the output of a command are refused, never run.
 * @throws SpeechError naming file and line
 */
export async function* readKaldi(folder: string, names: readonly string[]): AsyncGenerator<Entry> {
  const recordings = await readMap(join(folder, 'wav.scp'), fileOfLine)
  const segments = names.includes('segments') ? await readMap(join(folder, 'segments'), segmentOf) : undefined
  const speakers = names.includes('utt2spk')
    ? await readMap(join(folder, 'utt2spk'), (rest) => rest)
    : undefined
  const make = (id: string, text: string): Entry => {
    const segment = segments?.get(id)
    const recording = segment?.recording ?? id
    const file = segments && !segment ? undefined : recordings.get(recording)
    const speaker = speakers?.get(id)
    const lacking = segments && !segment ? `segments has no ${id}` : `wav.scp has no ${recording}`
    return {
      ...{ id, file: file ?? '', folder, recording, text },
      ...(speaker && { speaker }),
      ...(segment && { span: { offset: segment.offset, duration: segment.duration } }),
      ...(file === undefined && { problem: `${join(folder, lacking)}.` }),
    }
  }
  const seen = new Set<string>()
  for await (const { id, rest } of readPairs(join(folder, 'text'))) {
    seen.add(id)
    yield make(id, rest)
  }
  for (const id of (segments ?? recordings).keys()) if (!seen.has(id)) yield make(id, '')
}

/** Lines of an id and the rest. */
async function* readPairs(path: string): AsyncGenerator<{ id: string; rest: string; where: string }> {
  for await (const { text, number } of readLines(path)) {
    const [, id, rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(text) ?? []
    if (id !== undefined) yield { id: id.normalize('NFC'), rest, where: `${path}, line ${number}` }
  }
}

async function readMap<T>(path: string, read: (rest: string, where: string) => T): Promise<Map<string, T>> {
  const values = new Map<string, T>()
  for await (const { id, rest, where } of readPairs(path)) {
    if (values.has(id)) throw new SpeechError(`${where} lists ${id} a second time.`)
    values.set(id, read(rest, where))
  }
  return values
}

function fileOfLine(rest: string, where: string): string {
  if (rest.endsWith('|') || rest.startsWith('|') || rest === '-') {
    throw new SpeechError(
      `${where} names a command ("${rest}"), and commands of a dataset are not run.`,
      "Run them yourself, for example with Kaldi's wav-copy, and list the files that they write.",
    )
  }
  if (rest !== '') return rest
  throw new SpeechError(`${where} names no file.`)
}

/** The recording, where it begins and where it ends, in seconds; -1 is the recording's end. */
function segmentOf(rest: string, where: string): Segment {
  const [recording = '', ...times] = rest.normalize('NFC').split(/\s+/)
  const [start = Number.NaN, end = Number.NaN] = times.slice(0, 2).map(Number)
  if (recording !== '' && start >= 0 && (end > start || end === -1))
    return { recording, offset: start, duration: end === -1 ? undefined : end - start }
  throw new SpeechError(`${where} is "${rest}", wanted a recording, its start and its end in seconds.`)
}
