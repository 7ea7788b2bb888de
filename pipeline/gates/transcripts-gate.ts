// SPDX-License-Identifier: Apache-2.0

import type { ProvidersGate } from './gate.ts'

/**
 * Weights of few bits leave no logits to compare between devices, whose products are others: what counts is what is written.
 * Garbage differs nearly everywhere.
 */
export const transcripts: ProvidersGate = {
  kind: 'providers',
  about:
    "the share of the bundled clips whose transcripts differ from the processor's, by the same way through the same variant",
  figures: (ways, _, { transcripts: limit }) =>
    limit === undefined ? [] : ways.slice(0, 1).map((way) => ({ ...way, ...FIGURE, limit })),
  judge: (way, { changed, of, problem }, { transcripts: limit = 0 }) => [
    {
      ...{ ...way, ...FIGURE, limit, clips: of, found: of === 0 ? Number.NaN : changed / of },
      ...(problem === undefined ? { note: `${changed} of ${of} differ` } : { problem }),
    },
  ],
}

const FIGURE = { gate: 'other transcripts', unit: 'share' } as const
