// SPDX-License-Identifier: Apache-2.0

import { basename, extname } from 'node:path'
import { cuesOf, srt, vtt } from '../../eval/cues.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { openAudio } from '../../eval/runtime/opened-audio.ts'
import { Qwen3Aligner, Qwen3Asr, type WordTimes } from '../../eval/runtime/qwen3-asr.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { readText } from '../../eval/text-file.ts'
import { onlyModel } from '../release/only-model.ts'
import { printableSpeech } from '../shared/printable.ts'
import { withoutSecrets } from '../shared/redact.ts'
import { jsonLine } from '../shared/terminal.ts'
import type { AlignOptions } from './align-formats.ts'
import { rounded, roundedWords } from './rounded.ts'
import { ctm, textGrid } from './word-files.ts'

/** A recording, its text, and when its words are said. */
export interface Aligned extends WordTimes {
  readonly file: string
  readonly variant: string
  readonly text: string
}

/**
 * Find when the words of a text are said in a recording.
 * @throws Failure when there is no model, and SpeechError for audio, a text or a language that does not fit
 */
export async function alignFile(options: AlignOptions, signal: AbortSignal): Promise<Aligned> {
  const { audio, variant, threads, provider, language } = options
  const text = await textOf(options.text)
  const folder = options.modelDir ?? (await onlyModel('name its folder with --model-dir', 'aligner'))
  const release = await openRelease(folder, 'aligner')
  const about = { file: audio, variant: release.variant(variant).name, text }
  const given = { threads, provider, cache: options.cache }
  const how = { signal, ...defined({ language }) }
  const most = release.config.aligner?.maxSeconds
  const isLong = most !== undefined && (await isLongerThan(audio, most, signal))
  const aligner = isLong
    ? await Qwen3Asr.load(await recognizerFor(options, most), {
        ...given,
        aligner: folder,
        alignerVariant: about.variant,
      })
    : await Qwen3Aligner.load(folder, { ...given, variant: about.variant })
  try {
    return { ...about, ...(await aligner.align(audio, text, how)) }
  } finally {
    await aligner.dispose()
  }
}

async function isLongerThan(path: string, seconds: number, signal: AbortSignal): Promise<boolean> {
  const { cuts, close } = await openAudio({ path }, seconds, signal)
  try {
    let pieces = 0
    for await (const _ of cuts) if (++pieces > 1) break
    return pieces > 1
  } finally {
    await close()
  }
}

/** @throws Failure when none is named, and output/ does not have just one */
async function recognizerFor({ recognizer }: AlignOptions, most: number): Promise<string> {
  if (recognizer !== undefined) return recognizer
  return onlyModel(
    `name that of a recognizer with --recognizer: recordings of more than ${most} s are transcribed first, to cut them with their text`,
    'asr',
  )
}

async function textOf(given: string): Promise<string> {
  return extname(given).toLowerCase() === '.txt' ? readText(given) : given
}

/** As stdout has it. */
export function alignedContent(aligned: Aligned, format: AlignOptions['format']): string {
  const { file, words, seconds } = aligned
  switch (format) {
    case 'json':
      return jsonLine(alignedObject(aligned), withoutSecrets)
    case 'srt':
      return srt(cuesOf(subtitled(aligned)))
    case 'vtt':
      return vtt(cuesOf(subtitled(aligned)), { marksWords: true })
    case 'ctm':
      return ctm(basename(file, extname(file)), words.map(printed))
    case 'textgrid':
      return textGrid(words.map(printed), seconds)
  }
}

/** As JSON has it. */
export function alignedObject({ file, variant, seconds, words, warnings }: Aligned): object {
  return { file, variant, seconds: rounded(seconds), words: roundedWords(words), warnings }
}

function subtitled({ text, words }: Aligned) {
  const [first, last] = [words[0], words.at(-1)]
  if (!first || !last) return []
  const spaced = printableSpeech(text.replace(/\s+/g, ' ').trim())
  return [{ start: first.start, end: last.end, text: spaced, words: words.map(printed) }]
}

function printed<T extends { readonly text: string }>(word: T): T {
  return { ...word, text: printableSpeech(word.text) }
}
