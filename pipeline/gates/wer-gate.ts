import { FP32 } from '../../eval/runtime/graphs.ts'
import type { TextGate } from './gate.ts'

/** How well the model itself hears: known for published models on the speech that ships, and for nothing else. */
export const wer: TextGate = {
  kind: 'text',
  about: 'the word error rate on the speech of the evaluation',
  figures: (ways) =>
    ways.slice(0, 1).map((way) => ({ ...way, gate: 'WER', unit: 'share', limit: undefined })),
  judge: ({ way, wer: found, maxWer }) => [
    {
      ...{ ...way, gate: 'WER', unit: 'share', found, limit: maxWer ?? null },
      ...(maxWer === undefined && { note: 'no limit is known for this model and speech' }),
    },
  ],
}

/** What a variant adds to FP32's word error rate on the same speech, absolute. */
export const addedWer: TextGate = {
  kind: 'text',
  about: "what the variant adds to FP32's word error rate on the same speech",
  figures: (ways, { rate: limit }) =>
    ways.slice(0, 1).map((way) => ({ ...way, gate: 'added WER', unit: 'share', limit, against: FP32 })),
  judge: ({ way, wer: found, wer32 }, { rate: limit = 0 }) => [
    { ...way, gate: 'added WER', unit: 'share', found: found - wer32, limit },
  ],
}
