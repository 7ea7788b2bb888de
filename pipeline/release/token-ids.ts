// SPDX-License-Identifier: Apache-2.0

import { SPECIAL_TOKENS } from '../../eval/runtime/tokenizer.ts'

/** Each id of config.json with the token that has it in tokenizer.json. */
export const TOKEN_IDS = {
  pad_token_id: SPECIAL_TOKENS.endOfText,
  im_start_token_id: SPECIAL_TOKENS.imStart,
  im_end_token_id: SPECIAL_TOKENS.imEnd,
  audio_start_token_id: SPECIAL_TOKENS.audioStart,
  audio_end_token_id: SPECIAL_TOKENS.audioEnd,
  audio_pad_token_id: SPECIAL_TOKENS.audioPad,
  asr_text_token_id: SPECIAL_TOKENS.asrText,
} as const

/** Tokens that end a text. */
export const ENDS = [SPECIAL_TOKENS.endOfText, SPECIAL_TOKENS.imEnd] as const
