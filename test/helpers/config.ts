// SPDX-License-Identifier: Apache-2.0

import type { ReleaseConfigFile } from '../../eval/runtime/config-schema.ts'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { releaseConfig } from '../../pipeline/release/write-config.ts'
import { TINY } from './checkpoint.ts'

const RECIPES = new Map([['int4', { decoder: [['*', 'q4b64'] as const], prompts: 'int8' as const }]])

/** config.json as the exporter writes it for the tiny checkpoint. */
export async function tinyConfig(): Promise<ReleaseConfigFile> {
  const tokenizer = await readTokenizer(TINY)
  const checkpoint = await readCheckpoint(TINY)
  return releaseConfig(checkpoint, tokenizer, RECIPES, { encoder: 'float32' })
}
