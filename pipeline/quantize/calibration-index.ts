// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import * as v from 'valibot'
import { readOwn } from '../../eval/checked-json.ts'
import { count, dictionary, list, number, type Parsed, shape, text } from '../../eval/runtime/schema.ts'

/** A file of float32, little-endian; the hash is the file's. */
const FLOATS = shape({ file: text, shape: list(count), sha256: text })
/** A file of float32 values of a calibration, with its shape and hash. */
export type FloatFile = Parsed<typeof FLOATS>

/** One recording with FP32's own answer. */
const CLIP = shape({
  id: text,
  /** of the samples, float32 at 16 kHz */
  sha256: text,
  seconds: number,
  prompt_ids: list(count),
  /** index of the first audio feature in the prompt */
  audio_offset: count,
  /** the answer's, the end token included */
  tokens: list(count),
  /** the answer as text */
  says: text,
  /** what FP32's encoder made of it: float32 [N, H] */
  features: FLOATS,
  /** what the encoder was given: float32 [128, T] */
  mel: FLOATS,
})
/** One clip of a calibration, with FP32's answer. */
export type CalibrationClip = Parsed<typeof CLIP>

/** index.json of a calibration: python/quantize/calibration.py reads it. */
const INDEX = shape({
  format: v.literal(1, '1'),
  key: text,
  dataset: dictionary(v.unknown()),
  clips: list(CLIP),
  /** tokens of all prompts and answers */
  positions: count,
  versions: dictionary(text),
})
/** The clips of a finished calibration. */
export type CalibrationIndex = Parsed<typeof INDEX>

/** Where the index of a calibration is. */
export function indexFile(folder: string): string {
  return join(folder, 'index.json')
}

/** Read the index of a calibration. @returns undefined when it is not there, or damaged: it is made again */
export function readIndex(folder: string): Promise<CalibrationIndex | undefined> {
  return readOwn(INDEX, indexFile(folder))
}

/**
 * Read the file of one clip of a calibration.
 * @returns undefined when the clip has not been answered yet, or its file is damaged
 */
export function readCalibrationClip(path: string): Promise<CalibrationClip | undefined> {
  return readOwn(CLIP, path)
}
