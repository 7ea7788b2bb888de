// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { PROJECT } from '../eval/runtime/project.ts'

/* The models and the speech that the project has by name. */

/** Sizes of one published model; the source of every shape in the project. */
export interface ModelShape {
  readonly encoderLayers: number
  readonly encoderWidth: number
  readonly encoderHeads: number
  readonly encoderFfn: number
  readonly convChannels: number
  readonly decoderLayers: number
  readonly decoderWidth: number
  readonly decoderFfn: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocab: number
  /** of a forced aligner: what a timestamp slot can be */
  readonly classes?: number
}

/** What FP32 must reach on the bundled speech to count as right; none where it was not trained for it. */
export interface KnownLimits {
  /** highest WER of a recognizer */
  readonly maxWer?: number
  /** highest mean error of the starts and ends of words that a forced aligner finds, in seconds */
  readonly maxTimeError?: number
}

/** A model that the project can make a release of by its name. */
export interface KnownModel extends KnownLimits {
  /** base name of the release */
  readonly name: string
  /** hub repository, or a folder that ships with the project */
  readonly source: { readonly repo: string; readonly revision: string } | { readonly folder: string }
  readonly shape?: ModelShape
  /** heads of the decoder that follow the speech, [layer, head]: found elsewhere, for weights that none can be found of */
  readonly alignmentHeads?: readonly (readonly [layer: number, head: number])[]
}

const DECODER = { decoderLayers: 28, heads: 16, kvHeads: 8, headDim: 128, vocab: 151936, convChannels: 480 }

/**
 * What `--model` takes by name. Alignment heads: koneklhi/wlk, scripts/alignment_heads_qwen3_asr_0.6B.json and _1.7B_v2.json,
 * which took them from the forced aligner's times of LibriSpeech.
 */
export const MODELS = {
  tiny: {
    name: 'qwen3-asr-tiny',
    source: { folder: join(PROJECT, 'test', 'fixtures', 'qwen3-asr-tiny') },
    maxWer: 0.03,
  },
  'tiny-aligner': {
    name: 'qwen3-aligner-tiny',
    source: { folder: join(PROJECT, 'test', 'fixtures', 'qwen3-aligner-tiny') },
    maxTimeError: 0.06,
  },
  '0.6b': {
    name: 'qwen3-asr-0.6b',
    source: { repo: 'Qwen/Qwen3-ASR-0.6B', revision: 'main' },
    shape: {
      ...DECODER,
      encoderLayers: 18,
      encoderWidth: 896,
      encoderHeads: 14,
      encoderFfn: 3584,
      decoderWidth: 1024,
      decoderFfn: 3072,
    },
    alignmentHeads: [[20, 3], [11, 2], [13, 6], [11, 13], [14, 14], [6, 7]], // biome-ignore format: a list
  },
  '1.7b': {
    name: 'qwen3-asr-1.7b',
    source: { repo: 'Qwen/Qwen3-ASR-1.7B', revision: 'main' },
    shape: {
      ...DECODER,
      encoderLayers: 24,
      encoderWidth: 1024,
      encoderHeads: 16,
      encoderFfn: 4096,
      decoderWidth: 2048,
      decoderFfn: 6144,
    },
    alignmentHeads: [[11, 2], [11, 13], [20, 3], [14, 15], [16, 14], [14, 14]], // biome-ignore format: a list
  },
  aligner: {
    name: 'qwen3-forced-aligner-0.6b',
    source: { repo: 'Qwen/Qwen3-ForcedAligner-0.6B', revision: 'main' },
    shape: {
      ...DECODER,
      vocab: 152064,
      encoderLayers: 24,
      encoderWidth: 1024,
      encoderHeads: 16,
      encoderFfn: 4096,
      decoderWidth: 1024,
      decoderFfn: 3072,
      classes: 5000,
    },
  },
} as const satisfies Record<string, KnownModel>

/** That of the tiny model; for checkpoints with random weights. */
export const TINY_SHAPE: ModelShape = {
  ...{ encoderLayers: 3, encoderWidth: 128, encoderHeads: 4, encoderFfn: 512, convChannels: 32 },
  ...{ decoderLayers: 3, decoderWidth: 128, decoderFfn: 384, heads: 4, kvHeads: 2, headDim: 32 },
  vocab: 448,
}

/** Speech with transcripts that ships with the project. */
export const BUNDLED_SPEECH = join(PROJECT, 'test', 'fixtures', 'speech')

/** Speech that ships with the project to calibrate with; none of it is in {@link BUNDLED_SPEECH}. */
export const CALIBRATION_SPEECH = join(PROJECT, 'test', 'fixtures', 'calibration')
