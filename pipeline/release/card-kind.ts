// SPDX-License-Identifier: Apache-2.0

import type { Report } from '../../eval/report/report.ts'
import type { AlignerSettings } from '../../eval/runtime/release-config.ts'
import type { Tokenizer } from '../../eval/runtime/tokenizer.ts'
import type { Software } from '../shared/own-version.ts'
import type { Evidence } from './evidence.ts'
import type { ReleaseFile } from './manifest-schema.ts'

/* What differs between the cards of recognizers and of forced aligners. */

/** What a model card is made of. */
export interface Card {
  readonly name: string
  readonly evidence: Evidence
  readonly command: string
  /** that makes the release */
  readonly software: Software
  readonly variants: readonly string[]
  readonly files: readonly ReleaseFile[]
  readonly tokenizer: Tokenizer
  /** of a forced aligner, as config.json has them */
  readonly aligner?: AlignerSettings
  /** files of the charts that were drawn */
  readonly charts: readonly string[]
}

/** What the card of a kind of model says that others do not. Sections are in the order of the card. */
export interface CardKind {
  readonly tags: readonly string[]
  /** more of the front matter: what leaderboards read */
  metadata(card: Card): object
  /** what it is, in a few sentences */
  introduction(card: Card): string
  /** what is to be known before it is used, a point each */
  limits(card: Card): string[]
  /** what was measured, a section for each dataset */
  figures(report: Report, card: Card): string[]
  /** how close variants are to FP32 */
  fidelity(card: Card): string[]
  /** behind "Each variant in onnxruntime against the checkpoint in PyTorch": what else gates compare */
  readonly compared: string
  /** programs that run it */
  usage(card: Card): string[]
  /** how the graphs are run one after the other */
  steps(card: Card): string
  /** of a variant with a graph for prompts in 8 bits */
  prefillNote(variant: string): string
}
