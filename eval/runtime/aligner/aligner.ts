// SPDX-License-Identifier: Apache-2.0

import type { Cut } from '../audio/pieces.ts'
import { SAMPLE_RATE } from '../audio/sample-rate.ts'
import { argmax } from '../decoder.ts'
import { defined } from '../defined.ts'
import type { EmbeddingTable } from '../embeddings.ts'
import { type Encoder, openEncoder } from '../encoder.ts'
import type { PrefillKind } from '../graphs.ts'
import { LANGUAGES, languageName } from '../languages.ts'
import type { LoadCache } from '../load-cache.ts'
import { logMel } from '../mel.ts'
import { type AudioInput, openAudio } from '../opened-audio.ts'
import { USUAL_PROVIDER } from '../providers.ts'
import { openVariantEmbeddings } from '../quantized-embeddings.ts'
import { openRelease, type Way } from '../release.ts'
import type { AlignerSettings } from '../release-config.ts'
import { requireProvider, type SessionOptions } from '../session.ts'
import { SpeechError } from '../speech-error.ts'
import type { TimedWord } from '../timed-word.ts'
import type { Timing } from '../timing.ts'
import { readTokenizer, type Tokenizer } from '../tokenizer.ts'
import { alignerPrompt } from './aligner-prompt.ts'
import { fixTimes } from './fix-times.ts'
import { openSlotGraph, type SlotGraph } from './slot-graph.ts'
import { foreignLetters, requireLanguage, unitsOf, writtenUnits } from './units.ts'

/** One loaded variant of a forced aligner's release. */
export interface Aligner {
  readonly variant: string
  readonly settings: AlignerSettings
  readonly hiddenSize: number
  readonly tokenizer: Tokenizer
  readonly encoder: Encoder
  readonly embeddings: EmbeddingTable
  readonly graph: SlotGraph
}

/** How a forced aligner is loaded. */
export interface AlignerOptions extends SessionOptions {
  /** as `openRelease` names them; int4 where the folder has it */
  readonly variant?: string
  /** `int8` where the variant and the provider have it: faster */
  readonly prefill?: PrefillKind
  readonly cache?: LoadCache
}

/** When the words of a text are said. */
export interface Alignment {
  /** in the order of the text; their starts and ends do not decrease */
  readonly words: readonly TimedWord[]
  /** sentences about what may be wrong */
  readonly warnings: readonly string[]
  readonly timing: AlignerTiming
}

/** Seconds spent in each part; `prefill` is the aligner's graph. */
export type AlignerTiming = Omit<Timing, 'decode'>

/** The same of a recording that was read. */
export interface AlignedAudio extends Alignment {
  /** of the recording */
  readonly seconds: number
  /** of its samples, float32 at 16 kHz */
  readonly sha256: string
  /** what is odd in it */
  readonly notes: readonly string[]
  /** seconds of work of a recognizer that transcribed it first */
  readonly recognizerSeconds?: number
}

/**
 * Load a forced aligner's release. Calls of one aligner must not overlap.
 * @throws SpeechError when a file is missing, the runtime refuses it, or it is not a forced aligner
 */
export async function loadAligner(folder: string, options: AlignerOptions): Promise<Aligner> {
  const { provider = USUAL_PROVIDER, threads, cache } = options
  requireProvider(provider)
  const release = await openRelease(folder, 'aligner')
  const variant = release.variant(options.variant)
  const { config } = release
  if (config.aligner === undefined)
    throw new SpeechError(`${folder}/config.json has no section aligner.`, 'Run the pipeline again.')
  const ways = variant.ways(provider)
  const way = ways.find(({ prefill }) => prefill === (options.prefill ?? prefill))
  if (way === undefined) throw noWay(folder, variant.name, ways)
  const source = { release, variant }
  const session = { threads, provider }
  const embeddings = await openVariantEmbeddings(release, variant)
  return {
    variant: variant.name,
    settings: config.aligner,
    hiddenSize: config.hiddenSize,
    tokenizer: await readTokenizer(folder),
    encoder: await openEncoder(source, session),
    embeddings,
    graph: await openSlotGraph(source, embeddings, {
      ...session,
      prefill: way.prefill,
      ...defined({ cache }),
    }),
  }
}

/** Release the sessions and close the embedding table. The aligner cannot be used afterwards. */
export async function releaseAligner({ encoder, graph, embeddings }: Aligner): Promise<void> {
  await encoder.release()
  await graph.release()
  embeddings.close()
}

/** Starts and ends of units, in their order. */
export interface UnitTimes {
  /** seconds from the start of the samples, two a unit, which do not decrease */
  readonly times: readonly number[]
  readonly warnings: readonly string[]
  readonly timing: AlignerTiming
}

/**
 * Find when the words of a text are said in a recording.
 * @param samples 16 kHz mono
 * @param language name, ISO code or BCP 47 tag; Japanese is known without
 * @throws SpeechError for a language that the aligner does not support, and a recording that is too long for it
 */
export async function align(
  aligner: Aligner,
  samples: Float32Array,
  text: string,
  { language }: { readonly language?: string } = {},
): Promise<Alignment> {
  const { settings } = aligner
  return alignText(text, { settings, ...defined({ language }) }, (spoken) =>
    alignUnits(aligner, samples, spoken),
  )
}

/**
 * The words of a text with the times of its units, which a given function finds.
 * @param timesOf what is spoken of each unit
 * @throws SpeechError for a language that the aligner does not support, and what `timesOf` throws
 */
export async function alignText(
  text: string,
  { settings, language }: { readonly settings: AlignerSettings; readonly language?: string },
  timesOf: (spoken: readonly string[]) => Promise<UnitTimes>,
): Promise<Alignment> {
  const name = language === undefined ? undefined : languageName(language)
  if (name !== undefined) requireLanguage(name, settings.languages)
  const units = unitsOf(text, name)
  if (units.length === 0) return { words: [], warnings: [], timing: NO_TIME }
  const { times, warnings, timing } = await timesOf(units.map((unit) => unit.spoken))
  const words = writtenUnits(text, units).map((written, i) => ({
    ...{ text: written, start: times[2 * i] ?? 0, end: times[2 * i + 1] ?? 0 },
  }))
  const others = name === undefined ? warningsOf(text, settings) : []
  return { words, warnings: [...others, ...warnings], timing }
}

/**
 * Find when units are said, in one pass.
 * @param samples 16 kHz mono
 * @param spoken what is spoken of each
 * @throws SpeechError for a recording that is too long for the aligner
 */
export async function alignUnits(
  aligner: Aligner,
  samples: Float32Array,
  spoken: readonly string[],
): Promise<UnitTimes> {
  const { settings } = aligner
  const seconds = samples.length / SAMPLE_RATE
  if (seconds > settings.maxSeconds) throw tooLong(seconds.toFixed(1), settings.maxSeconds)
  const { logits, timing } = await slotLogits(aligner, samples, spoken)
  const told = toldTimes(logits, settings)
  const fixed = fixTimes(told)
  return {
    times: fixed.map((ms) => Math.min(ms / 1000, seconds)),
    warnings: disorder(told, fixed),
    timing,
  }
}

/** Times of a run in which nothing was computed, in seconds. */
export const NO_TIME: AlignerTiming = { mel: 0, encoder: 0, prefill: 0 }

/**
 * As {@link align}, of a recording that is read. No more of it is held than the aligner can process in one pass.
 * @throws SpeechError as {@link align}, and when the recording cannot be read
 */
export async function alignAudio(
  aligner: Aligner,
  input: AudioInput,
  text: string,
  options: Parameters<typeof align>[3] = {},
): Promise<AlignedAudio> {
  const { maxSeconds } = aligner.settings
  const audio = await openAudio(input, maxSeconds)
  const pieces: Cut[] = []
  try {
    for await (const piece of audio.cuts) {
      pieces.push(piece)
      if (pieces.length > 1) throw tooLong(`more than ${maxSeconds}`, maxSeconds)
    }
  } finally {
    await audio.close()
  }
  const found = await align(aligner, audio.first.samples, text, options)
  return {
    ...{ seconds: audio.seconds(), sha256: audio.sha256(), notes: [...audio.notes] },
    ...found,
  }
}

/** Logits of the slots of units, [2 x units, classes], flat, and how long they took. */
async function slotLogits(
  { encoder, hiddenSize, tokenizer, graph }: Aligner,
  samples: Float32Array,
  units: readonly string[],
): Promise<{ readonly logits: Float32Array; readonly timing: AlignerTiming }> {
  const start = performance.now()
  const mel = logMel(samples)
  const afterMel = performance.now()
  const features = await encoder.run(mel)
  const afterEncoder = performance.now()
  const logits = await graph.run(alignerPrompt(tokenizer, features.length / hiddenSize, units), features)
  const seconds = (from: number, to: number) => (to - from) / 1000
  const timing = {
    mel: seconds(start, afterMel),
    encoder: seconds(afterMel, afterEncoder),
    prefill: seconds(afterEncoder, performance.now()),
  }
  return { logits, timing }
}

/** The class with the largest logit of each slot. @param logits [slots, classes], flat */
export function slotClasses(logits: Float32Array, { classes }: Pick<AlignerSettings, 'classes'>): number[] {
  return Array.from({ length: logits.length / classes }, (_, i) =>
    argmax(logits.subarray(i * classes, (i + 1) * classes)),
  )
}

/** Milliseconds of each slot, which do not decrease. @param logits [slots, classes], flat */
export function slotTimes(
  logits: Float32Array,
  settings: Pick<AlignerSettings, 'classes' | 'segmentMs'>,
): number[] {
  return fixTimes(toldTimes(logits, settings))
}

/** Milliseconds of each slot, as the model gives them. */
function toldTimes(logits: Float32Array, settings: Pick<AlignerSettings, 'classes' | 'segmentMs'>): number[] {
  return slotClasses(logits, settings).map((each) => each * settings.segmentMs)
}

/** Of a text that is said in the recording, few times are out of order. */
const [FEW, SHARE] = [4, 0.25]

function disorder(told: readonly number[], fixed: readonly number[]): string[] {
  const others = told.filter((ms, i) => ms !== fixed[i]).length
  if (others < FEW || others < SHARE * told.length) return []
  return [
    `${others} of ${told.length} starts and ends of words were out of order, and have been laid between the others: ` +
      'is the text that of this recording?',
  ]
}

function warningsOf(text: string, { languages }: AlignerSettings): string[] {
  const codes = Object.entries(LANGUAGES).flatMap(([code, name]) => (languages.includes(name) ? [code] : []))
  const letters = foreignLetters(text, codes)
  if (letters === undefined) return []
  return [
    `Most letters of the text (${letters} ...) belong to no language of the aligner: the times may be wrong. ` +
      `It supports ${languages.join(', ')}.`,
  ]
}

/** A recognizer shows which part of the text belongs to which part of a long recording. */
function tooLong(seconds: string, most: number): SpeechError {
  return new SpeechError(
    `The recording has ${seconds} s, wanted at most ${most} s, which the aligner can process in one pass.`,
    'With a recognizer it may have any length: npm run align -- ... --recognizer DIR, or asr.align of the API.',
  )
}

function noWay(folder: string, variant: string, ways: readonly Way[]): SpeechError {
  const kinds = ways.map(({ prefill }) => prefill).join(' and ')
  return new SpeechError(
    `${variant} in ${folder} has no way to run with these options on this provider.`,
    kinds === '' ? 'Run the pipeline again.' : `It can be run with prefill ${kinds}.`,
  )
}
