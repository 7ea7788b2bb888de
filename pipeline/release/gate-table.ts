// SPDX-License-Identifier: Apache-2.0

import { percent } from '../../eval/report/number-text.ts'
import { type GateResult, wayName } from './gate-result.ts'

/** Columns of a table of results, for a log or a model card. */
export const GATE_COLUMNS = ['gate', 'variant', 'by', 'found', 'limit', 'verdict', 'about'] as const

/** One row for each result. */
export function gateRows(results: readonly GateResult[]): string[][] {
  return results.map((result) => {
    const { gate, variant, provider, clips, worstClip, note, limit, pass } = result
    const of = clips === undefined ? [] : [`${clips} clips${worstClip ? `, worst ${worstClip}` : ''}`]
    return [
      ...[gate, variant, `${provider}, ${wayName(result)}`, shownValue(result)],
      ...[limit === null ? '-' : shownLimit(result, limit), pass ? 'pass' : 'FAIL'],
      [...of, ...(note === undefined ? [] : [note])].join('; '),
    ]
  })
}

/** What was found as people read it: shares in percent, counts whole, differences in powers of ten. */
export function shownValue({ found, unit, problem }: GateResult): string {
  if (problem !== undefined) return problem
  if (found === null) return 'not a number'
  if (unit === 'share') return percent(found)
  if (unit === 'milliseconds') return `${found.toFixed(1)} ms`
  return unit === 'count' || found === 0 ? String(found) : `${found.toExponential(1)}${suffixOf(unit)}`
}

/** As people read it, beside {@link shownValue}. */
export function shownLimit({ unit }: GateResult, limit: number): string {
  if (limit === 0) return 'identical'
  return unit === 'share' ? percent(limit) : `${limit}${suffixOf(unit)}`
}

function suffixOf(unit: GateResult['unit']): string {
  if (unit === 'milliseconds') return ' ms'
  return unit === 'nats' ? ' nats' : ''
}
