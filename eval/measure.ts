import { type Clip, loadClip } from './audio.ts'
import { normalizedWords } from './normalize/normalizers.ts'
import {
  type Recognition,
  type RecognizeOptions,
  type Recognizer,
  recognize,
  type Timing,
} from './recognizer.ts'
import type { Utterance } from './speech.ts'
import { addErrors, alignWords, countErrors, NO_ERRORS, type WordErrors, wordErrorRate } from './wer.ts'

/** One utterance transcribed by one variant. */
export interface Measured extends Recognition {
  readonly id: string
  readonly reference: string
  readonly seconds: number
  readonly errors: WordErrors
}

/** An utterance that could not be read: its words count as deletions, it is never dropped. */
export interface Unreadable {
  readonly id: string
  readonly reference: string
  readonly problem: string
  readonly errors: WordErrors
}

/** Corpus figures of one variant. Times are seconds of compute over all clips that were transcribed. */
export interface Summary {
  readonly utterances: number
  readonly unreadable: number
  readonly audioSeconds: number
  readonly errors: WordErrors
  readonly wer: number
  readonly timing: Timing
  readonly rtf: number
  readonly tokens: number
  /** outputs that failed in a way WER does not name */
  readonly empty: number
  readonly withoutMarker: number
  readonly unfinished: number
}

export type MeasureOptions = RecognizeOptions

/**
 * Transcribe utterances one after the other, after one warm-up run on the first that can be read.
 * @throws SpeechError only for what is wrong with the release; clips that cannot be read are yielded
 */
export async function* measure(
  recognizer: Recognizer,
  utterances: readonly Utterance[],
  options: MeasureOptions,
): AsyncGenerator<Measured | Unreadable> {
  let warm = false
  for (const utterance of utterances) {
    const clip = await loadClip(utterance.path).catch((error: Error) => error)
    if (clip instanceof Error) {
      yield unreadable(utterance, clip.message)
      continue
    }
    if (!warm) await recognize(recognizer, clip.samples, options)
    warm = true
    yield await measureClip(recognizer, utterance, clip, options)
  }
}

export function summarize(results: readonly (Measured | Unreadable)[]): Summary {
  const heard = results.filter((result): result is Measured => 'timing' in result)
  const errors = results.map((result) => result.errors).reduce(addErrors, NO_ERRORS)
  const total = (part: keyof Timing) => heard.reduce((sum, { timing }) => sum + timing[part], 0)
  const timing = {
    mel: total('mel'),
    encoder: total('encoder'),
    prefill: total('prefill'),
    decode: total('decode'),
  }
  const audioSeconds = heard.reduce((sum, { seconds }) => sum + seconds, 0)
  const compute = timing.mel + timing.encoder + timing.prefill + timing.decode
  return {
    utterances: results.length,
    unreadable: results.length - heard.length,
    audioSeconds,
    errors,
    wer: wordErrorRate(errors),
    timing,
    rtf: compute / audioSeconds,
    tokens: heard.reduce((sum, { tokens }) => sum + tokens.length, 0),
    empty: heard.filter(({ text }) => text === '').length,
    withoutMarker: heard.filter(({ hasMarker }) => !hasMarker).length,
    unfinished: heard.filter(({ finished }) => !finished).length,
  }
}

async function measureClip(
  recognizer: Recognizer,
  utterance: Utterance,
  clip: Clip,
  options: MeasureOptions,
): Promise<Measured> {
  const recognition = await recognize(recognizer, clip.samples, options)
  const errors = wordErrors(utterance.text, recognition.text)
  return { ...recognition, id: utterance.id, reference: utterance.text, seconds: clip.seconds, errors }
}

function unreadable(utterance: Utterance, problem: string): Unreadable {
  const errors = wordErrors(utterance.text, '')
  return { id: utterance.id, reference: utterance.text, problem, errors }
}

function wordErrors(reference: string, hypothesis: string): WordErrors {
  return countErrors(alignWords(normalizedWords(reference, 'basic'), normalizedWords(hypothesis, 'basic')))
}
