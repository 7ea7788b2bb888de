// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import type { Alignment } from '../alignment/alignment-file.ts'
import { quantizationTags } from '../recipes.ts'
import { asMade } from '../release/encoder-choice.ts'
import type { EncoderChoice } from '../release/encoder-schema.ts'
import { releaseConfig } from '../release/write-config.ts'
import { writeJson } from '../shared/output-files.ts'
import { recipeOf } from '../variants.ts'
import type { Run } from './stage.ts'

/** What is known of a run's files besides their recipes. */
export interface Known {
  /** by which rules encoders were made */
  readonly encoders?: Readonly<Record<string, EncoderChoice>>
  readonly alignment?: Alignment | undefined
}

/** config.json of a run's release, with those of its variants that are there. */
export async function writeOwnConfig(
  run: Run,
  variants: readonly string[],
  { encoders = {}, alignment }: Known = {},
): Promise<void> {
  const { options, paths, checkpoint } = run
  const tokenizer = await readTokenizer(paths.model)
  const recipes = new Map(variants.map((name) => [name, asMade(recipeOf(name, options), encoders[name])]))
  const tags = quantizationTags(recipes, options.accuracyLevel, options.family)
  const config = releaseConfig(checkpoint, tokenizer, recipes, tags, alignment)
  await writeJson(join(paths.model, 'config.json'), config)
}
