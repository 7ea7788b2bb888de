// SPDX-License-Identifier: Apache-2.0

import { plural } from '../../eval/plural.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import type { Row } from '../../eval/summary.ts'
import type { SpeechGate } from './gate.ts'

/** How right the times of a forced aligner are: known for models that ship, on the speech that ships, and for nothing else. */
export const timeError: SpeechGate = {
  kind: 'speech',
  about: "the mean error of words' starts and ends on the speech of the evaluation, where it has times",
  figures: (ways) => ways.slice(0, 1).map((way) => ({ ...way, ...ERROR, limit: undefined })),
  judge({ way, row, known: { maxTimeError } }) {
    const limit = maxTimeError === undefined ? null : 1000 * maxTimeError
    const lost = row.failures.problems
    if (lost > 0 && (limit !== null || lost === row.utterances))
      return [{ ...way, ...ERROR, limit, ...notAligned(row) }]
    const found = errorOf(row)
    if (found === undefined) return []
    const unknown = limit === null ? ['no limit is known for this model and speech'] : []
    return [{ ...way, ...ERROR, found, limit, note: [edgesOf(row), ...unknown].join('; ') }]
  },
}

/** What a variant adds to FP32's mean error on the same speech. */
export const addedTimeError: SpeechGate = {
  kind: 'speech',
  about: "what the variant adds to FP32's mean error of words' starts and ends on the same speech",
  figures: (ways, { mean: limit }) =>
    ways.slice(0, 1).map((way) => ({ ...way, ...ADDED, limit, against: FP32 })),
  judge({ way, row, row32 }, { mean: limit = 0 }) {
    if (row.failures.problems > row32.failures.problems)
      return [{ ...way, ...ADDED, limit, ...notAligned(row) }]
    const [found, found32] = [errorOf(row), errorOf(row32)]
    if (found === undefined || found32 === undefined) return []
    return [{ ...way, ...ADDED, found: found - found32, limit, note: edgesOf(row) }]
  },
}

const ERROR = { gate: 'time error', unit: 'milliseconds' } as const
const ADDED = { gate: 'added time error', unit: 'milliseconds' } as const

/** In milliseconds; undefined where the speech has no times. */
function errorOf({ times }: Row): number | undefined {
  return times && 1000 * times.all.mean
}

function edgesOf({ times }: Row): string {
  return `${times?.all.edges} starts and ends`
}

function notAligned({ failures }: Row) {
  return { found: Number.NaN, problem: `${plural(failures.problems, 'utterance')} could not be aligned` }
}
