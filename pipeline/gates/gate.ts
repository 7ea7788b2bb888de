// SPDX-License-Identifier: Apache-2.0

import type { Comparison, Look } from '../../eval/parity.ts'
import type { Reference } from '../../eval/reference.ts'
import type { Recognizer } from '../../eval/runtime/recognizer.ts'
import type { Way } from '../../eval/runtime/release.ts'
import type { SlotComparison } from '../../eval/slot-parity.ts'
import type { Row } from '../../eval/summary.ts'
import type { KnownLimits } from '../models.ts'

/* What a gate is, by what it judges: see pipeline/gates.ts for the table. */

/** A variant's own limits for the figures of a gate, by their names in its row. */
export type Limits = Readonly<Record<string, number>>

/** What the provider's row allows FP32 to differ from PyTorch. */
export interface Tolerance {
  readonly features: number
  readonly logits: number
  /** share of transcripts that may differ from the processor's; none for the processor itself */
  readonly transcripts?: number
}

/** What figures are measured in: rates as a share of 1, divergences in nats, times, numbers of ids and tokens, or plain numbers. */
export const UNITS = ['share', 'nats', 'milliseconds', 'count', 'number'] as const
/** One of {@link UNITS}. */
export type Unit = (typeof UNITS)[number]

/** One figure that a gate must find for a way through a variant. */
export interface Figure extends Way {
  readonly gate: string
  readonly unit: Unit
  /** undefined: what the model available allows, which its result says */
  readonly limit: number | undefined
  /** another variant that it is measured against */
  readonly against?: string
}

/** One figure that was found. */
export interface Finding extends Way {
  readonly gate: string
  readonly unit: Unit
  /** NaN with a problem */
  readonly found: number
  /** null: none is known for this model and speech; `note` says why */
  readonly limit: number | null
  readonly problem?: string
  readonly note?: string
  /** compared, and the one with the worst figure */
  readonly clips?: number
  readonly worstClip?: string
}

interface Common {
  /** what it finds, in a sentence */
  readonly about: string
  /** every figure that it must find of a variant: what is not there is not proved */
  figures(ways: readonly Way[], limits: Limits, tolerance: Tolerance): readonly Figure[]
}

/** A clip with what PyTorch made of it. */
export interface ParityClip {
  readonly samples: Float32Array
  /** an utterance, whose tokens are compared, or a cut of some length, which is compared up to its logits */
  readonly isUtterance: boolean
  readonly reference: Reference
}

/** Compares what a variant computes of clips with what PyTorch does, step by step. */
export interface ClipsGate extends Common {
  readonly kind: 'clips'
  /**
   * @param clips read again at each call, one in memory at a time
   * @param lookAt of a clip: what is called along PyTorch's tokens; a gate that does so does it of all clips
   */
  measure(
    recognizer: Recognizer,
    way: Way,
    clips: (what: string) => AsyncIterable<ParityClip>,
    tolerance: Tolerance,
    lookAt: (clip: ParityClip) => Look,
  ): Promise<Comparison[]>
}

/** Judges how far a variant's logits are from the reference's in FP32, at every position along the reference's own tokens. */
export interface LogitsGate extends Common {
  readonly kind: 'logits'
  /** along which clips: utterances as people say them, or cuts of odd lengths, which may make a model ramble */
  readonly on: 'utterances' | 'cuts'
  /** @param measured each way with the clips that the gate is on */
  judge(measured: readonly WayPositions[], limits: Limits): readonly Finding[]
}

/** What a variant's logits are at one position along the reference's tokens. */
export interface Position {
  /** divergence of the next token's distribution from the reference's, in nats */
  readonly kld: number
  /** of the logits with the reference's */
  readonly cosine: number
  /** whether greedy decoding would take the reference's token */
  readonly isSame: boolean
}

/** Every position of one clip whose logits the reference has. */
export interface ClipPositions {
  readonly clip: string
  readonly isUtterance: boolean
  readonly positions: readonly Position[]
  /** the reference has logits of its first tokens alone */
  readonly isCut: boolean
}

/** What one way through a variant made of all clips. */
export interface WayPositions {
  readonly way: Way
  readonly clips: readonly ClipPositions[]
  /** the first logit that is not finite; there are no clips then */
  readonly problem?: string
}

/** What one variant made of the speech of the evaluation stage. */
export interface Evaluated {
  readonly way: Way
  readonly row: Row
  /** FP32's */
  readonly row32: Row
  /** of FP32 on this speech, as far as the model's row has them */
  readonly known: KnownLimits
}

/** Judges what was transcribed or aligned. */
export interface SpeechGate extends Common {
  readonly kind: 'speech'
  /** @returns none where the speech is not enough to judge */
  judge(evaluated: Evaluated, limits: Limits): readonly Finding[]
}

/** What one way through a forced aligner made of all clips. */
export interface WaySlots {
  readonly way: Way
  readonly clips: readonly SlotComparison[]
}

/** Judges how far the slots of a forced aligner are from PyTorch's. */
export interface SlotsGate extends Common {
  readonly kind: 'slots'
  judge(measured: readonly WaySlots[], limits: Limits, tolerance: Tolerance): readonly Finding[]
}

/** How the transcripts of a variant on a provider stand beside those of the processor. */
export interface OtherTranscripts {
  readonly changed: number
  readonly of: number
  /** why not all clips were transcribed */
  readonly problem?: string
}

/** Judges whether a provider writes what the processor does. */
export interface ProvidersGate extends Common {
  readonly kind: 'providers'
  judge(way: Way, found: OtherTranscripts, tolerance: Tolerance): readonly Finding[]
}

/** A gate, distinguished by what it is judged on. */
export type Gate = ClipsGate | LogitsGate | SpeechGate | SlotsGate | ProvidersGate
