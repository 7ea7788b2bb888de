// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { about, list, type Parsed, shape, text } from '../eval/runtime/schema.ts'

/** Which weights get which format: the first rule whose selector fits a weight's name decides. */
export const RULES = list(v.strictTuple([text, text], 'a selector and a format'))

const oneOf = <const Names extends readonly string[]>(names: Names) =>
  v.picklist(names, names.map((name) => `"${name}"`).join(' or '))

/** What chooses the levels of a weight: `gptq` needs calibration. python/quantize/solvers.py has them. */
export const SOLVERS = ['rtn', 'k_quant', 'gptq'] as const

const SMOOTH = v.pipe(
  text,
  v.regex(/^(smoothquant|awq):(0|1|0?\.\d+|1\.0+)$/, '"smoothquant:A" or "awq:A", A from 0 to 1'),
)

const ENTRIES = {
  decoder: about('Selectors of decoder weights and their formats; the first that fits decides.', RULES),
  encoder: v.exactOptional(about("The same for the encoder. Missing where the encoder is FP32's.", RULES)),
  encoderFallback: v.exactOptional(
    about(
      'Other rules for the encoder, best first: the first that lose little enough on the calibration are taken.',
      v.pipe(list(RULES), v.minLength(1, 'at least one')),
    ),
  ),
  encoderSmooth: v.exactOptional(
    about(
      'The same as `smooth` for norms of the encoder with large channels, before weights of i8 alone.',
      SMOOTH,
    ),
  ),
  solver: v.exactOptional(
    about('What chooses the levels of weights in blocks. Missing: rtn, rounding to nearest.', oneOf(SOLVERS)),
  ),
  smooth: v.exactOptional(
    about(
      'What is moved from activations into weights before: `smoothquant:A` or `awq:A`, with A from 0 to 1.',
      SMOOTH,
    ),
  ),
  embeddings: v.exactOptional(
    about(
      'lm_head: the rows of the quantized output layer are the embedding table too. Only the fused layout can be read then.',
      v.literal('lm_head', '"lm_head"'),
    ),
  ),
  prompts: v.exactOptional(
    about('int8: prompts have a graph with 8-bit products.', v.literal('int8', '"int8"')),
  ),
}

/** How the weights of a variant are made of FP32's: a row of the variants' table, or a file of a trial. */
export const RECIPE = shape(ENTRIES)
/** Names of a recipe's entries. */
export const RECIPE_KEYS: readonly string[] = Object.keys(ENTRIES)
/** How the weights of a variant are made from FP32's. */
export type Recipe = Parsed<typeof RECIPE>
/** A selector of weights, and a format that python/quantize/formats.py has. */
export type Rule = Recipe['decoder'][number]
