// SPDX-License-Identifier: Apache-2.0

import { milliseconds } from '../../eval/report/number-text.ts'
import type { Report } from '../../eval/report/report.ts'
import type { Row } from '../../eval/summary.ts'
import { formatBytes } from '../shared/output-files.ts'
import { markdownTable } from './markdown-table.ts'

/** How fast variants are; columns that none has are left out. */
export function speedTable(rows: readonly Row[]): string {
  const all = rows.map(
    ({ system, utterances, speed: { audioSeconds, rtf, tokens, tokensPerSecond, latency } }) => ({
      variant: system,
      utterances: String(utterances),
      audio: `${audioSeconds.toFixed(0)} s`,
      RTF: rtf.toPrecision(2),
      'tokens/s': tokens > 0 ? tokensPerSecond.toFixed(0) : undefined,
      p50: milliseconds(latency.p50),
      p90: milliseconds(latency.p90),
    }),
  )
  const columns = Object.keys(all[0] ?? {}) as (keyof (typeof all)[number])[]
  const known = columns.filter((column) => all.some((row) => row[column] !== undefined))
  return markdownTable(
    known,
    all.map((row) => known.map((column) => row[column] ?? '-')),
  )
}

/** The highest memory of the process that measured a variant; undefined where it was not measured. */
export function memoryOf({ systems }: Report, variant: string): string | undefined {
  const bytes = systems.find(({ name }) => name === variant)?.peakMemory
  return bytes === undefined ? undefined : formatBytes(bytes)
}
