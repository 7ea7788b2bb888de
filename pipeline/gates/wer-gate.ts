// SPDX-License-Identifier: Apache-2.0

import { FP32 } from '../../eval/runtime/graphs.ts'
import type { SpeechGate } from './gate.ts'

/** How well the model itself transcribes: known for published models on the speech that ships, and for nothing else. */
export const wer: SpeechGate = {
  kind: 'speech',
  about: 'the word error rate on the speech of the evaluation',
  figures: (ways) =>
    ways.slice(0, 1).map((way) => ({ ...way, gate: 'WER', unit: 'share', limit: undefined })),
  judge: ({ way, row: { wer: found }, known: { maxWer } }) => [
    {
      ...{ ...way, gate: 'WER', unit: 'share', found, limit: maxWer ?? null },
      ...(maxWer === undefined && { note: 'no limit is known for this model and speech' }),
    },
  ],
}

/** What a variant adds to FP32's word error rate on the same speech, absolute. */
export const addedWer: SpeechGate = {
  kind: 'speech',
  about: "what the variant adds to FP32's word error rate on the same speech",
  figures: (ways, { rate: limit }) =>
    ways.slice(0, 1).map((way) => ({ ...way, gate: 'added WER', unit: 'share', limit, against: FP32 })),
  judge: ({ way, row, row32 }, { rate: limit = 0 }) => [
    { ...way, gate: 'added WER', unit: 'share', found: row.wer - row32.wer, limit },
  ],
}
