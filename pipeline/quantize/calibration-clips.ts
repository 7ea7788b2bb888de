// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { hashSamples } from '../../eval/runtime/audio/sample-hash.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { MAX_PIECE_SECONDS } from '../../eval/runtime/limits.ts'
import { logMel, MEL_BINS } from '../../eval/runtime/mel.ts'
import {
  encode,
  loadRecognizer,
  promptOf,
  type Recognizer,
  releaseRecognizer,
} from '../../eval/runtime/recognizer.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { SPECIAL_TOKENS } from '../../eval/runtime/tokenizer.ts'
import { parseTranscript } from '../../eval/runtime/transcript.ts'
import type { Emit } from '../shared/events.ts'
import { writeFloats, writeJson } from '../shared/output-files.ts'
import type { CalibrationClip, FloatFile } from './calibration-index.ts'

/** Sequences that FP32 decodes together: a step costs reading the weights, for one as for eight. */
const BATCH = 8
/** Of an answer at most, beside those for each second: a model that rambles calibrates nothing. */
const [TOKENS_PER_SECOND, TOKENS_MORE] = [25, 16]

/** A recording to calibrate on. */
export interface CalibrationSpeech {
  readonly id: string
  /** sha256 of the samples as float32, little-endian */
  readonly sha256: string
  /** 16 kHz mono */
  readonly samples: Float32Array
}

/**
 * The recordings of a dataset that can be calibrated on, in its order.
 * @param note called with each that is left out
 */
export async function readSpeech(
  dataset: Dataset,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<CalibrationSpeech[]> {
  const speech: CalibrationSpeech[] = []
  for await (const { id, path, problem } of dataset.utterances(() => true, signal)) {
    if (path === undefined) {
      note(`Calibration leaves ${id} out: ${problem ?? 'it has no recording.'}`)
      continue
    }
    const clip = await readRecording(id, path, signal)
    const twin = typeof clip === 'string' ? undefined : speech.find(({ sha256 }) => sha256 === clip.sha256)
    if (typeof clip === 'string') note(`Calibration leaves ${id} out: ${clip}`)
    else if (twin) note(`Calibration leaves ${id} out: it has the samples of ${twin.id}.`)
    else speech.push(clip)
  }
  return speech
}

/** @returns why it cannot be used, or the recording */
async function readRecording(
  id: string,
  path: string,
  signal: AbortSignal,
): Promise<CalibrationSpeech | string> {
  try {
    const { samples, seconds } = await loadClip(path, signal)
    if (seconds > MAX_PIECE_SECONDS)
      return `it lasts ${seconds.toFixed(0)} s, wanted at most ${MAX_PIECE_SECONDS}.`
    return { id, samples, sha256: await hashSamples(samples) }
  } catch (error) {
    if (error instanceof SpeechError) return error.message.replace(`${path}: `, '')
    throw error
  }
}

/** Where FP32 answers, and whom to say so. */
export interface Answering {
  /** release directory */
  readonly model: string
  /** the calibration's */
  readonly folder: string
  readonly threads: number
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** Let FP32 answer recordings, and write each answer to clips/ with what the encoder was given of it, and made of it. */
export async function answerAll(
  speech: readonly { readonly place: number; readonly clip: CalibrationSpeech }[],
  answering: Answering,
  done: number,
): Promise<void> {
  const { model, threads, emit, signal } = answering
  // an even number of rows: an answer does not depend on who else is in the batch, so going on gives what one run gives
  const recognizer = await loadRecognizer(model, { variant: FP32, threads, batch: BATCH, isSteady: true })
  const total = done + speech.length
  let count = done
  try {
    for (let i = 0; i < speech.length; i += BATCH) {
      signal.throwIfAborted()
      // all of them end before the model is released, also when one fails
      const ended = await Promise.allSettled(
        speech.slice(i, i + BATCH).map(async ({ place, clip }) => {
          await answer(recognizer, clip, place, answering)
          emit({ event: 'progress', what: 'calibration answers', done: ++count, total, unit: 'clips' })
        }),
      )
      const failed = ended.find((one) => one.status === 'rejected')
      if (failed) throw failed.reason
    }
  } finally {
    await releaseRecognizer(recognizer)
  }
}

async function answer(
  recognizer: Recognizer,
  { id, sha256, samples }: CalibrationSpeech,
  place: number,
  { folder, signal }: Answering,
): Promise<void> {
  const seconds = samples.length / SAMPLE_RATE
  const mel = logMel(samples)
  const features = await encode(recognizer, mel)
  const prompt = promptOf(recognizer, features)
  const { tokens, ending } = await recognizer.decode({
    prepare: async () => ({ prompt, features }),
    maxNewTokens: Math.ceil(TOKENS_PER_SECOND * seconds) + TOKENS_MORE,
    stopLoops: true,
    signal,
  })
  const end = ending === 'end' ? [recognizer.tokenizer.idOf(SPECIAL_TOKENS.imEnd)] : []
  const width = recognizer.config.hiddenSize
  const written = async (what: string, values: Float32Array, shape: number[]): Promise<FloatFile> => {
    const file = join('clips', `${nameOf(place)}.${what}.f32`)
    await writeFloats(join(folder, file), values)
    return { file, shape, sha256: await hashSamples(values) }
  }
  const clip: CalibrationClip = {
    ...{ id, sha256, seconds, prompt_ids: [...prompt.ids], audio_offset: prompt.audioOffset },
    tokens: [...tokens, ...end],
    says: parseTranscript(recognizer.tokenizer.decode(tokens)).text,
    features: await written('features', features, [features.length / width, width]),
    mel: await written('mel', mel.data, [MEL_BINS, mel.frames]),
  }
  await writeJson(clipFile(folder, place), clip)
}

/** Where the answer to a clip is kept. @param place of the clip in the calibration, from 0 */
export function clipFile(folder: string, place: number): string {
  return join(folder, 'clips', `${nameOf(place)}.json`)
}

function nameOf(place: number): string {
  return String(place).padStart(4, '0')
}
