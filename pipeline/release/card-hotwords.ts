// SPDX-License-Identifier: Apache-2.0

import type { HotwordDifferences, HotwordFigures } from '../../eval/hotwords/hotword-figures.ts'
import { percent, signed } from '../../eval/report/number-text.ts'
import { mainDifferences, mainRows, type Report } from '../../eval/report/report.ts'
import { markdownTable } from './markdown-table.ts'

/* What a model card says of lists of hotwords, where an evaluation was made with them. */

const HEAD = ['variant', 'lists', 'B-WER', 'U-WER', 'WER', 'recall', 'false / 1000', 'recited']
const WORDS = 1000

/** A section for each dataset that was measured with lists. */
export function hotwordSections(reports: readonly Report[]): string[] {
  return reports.flatMap((report) =>
    report.run.datasets.flatMap(({ name }) => {
      const rows = mainRows(report).filter(({ dataset }) => dataset === name)
      const differences = mainDifferences(report).filter(({ dataset }) => dataset === name)
      const pairs = differences.flatMap(({ first, second, hotwords }) => {
        const [without, with_] = [first, second].map((system) => rows.find((row) => row.system === system))
        if (!hotwords || !without?.hotwords || !with_?.hotwords) return []
        return [
          [first, 'without', ...figures(without.hotwords), ''],
          [first, 'with', ...figures(with_.hotwords), String(with_.recitals)],
          [first, 'difference', ...changes(hotwords), ''],
        ]
      })
      const listed = rows.find(({ hotwords }) => hotwords !== undefined)?.hotwords
      return pairs.length === 0 || !listed ? [] : [section(name, report, listed, pairs)]
    }),
  )
}

function section(
  dataset: string,
  { run }: Report,
  { utterances, listed, bWer, wer }: HotwordFigures,
  rows: readonly (readonly string[])[],
): string {
  const { least, median, most } = listed
  const size = least === most ? `${most}` : `${least} to ${most}, median ${median}`
  const source = run.hotwords ? ` (\`${run.hotwords.source}\`)` : ''
  return `## Hotwords on ${dataset}

The list of each utterance${source} as the context of its system turn, and the same utterances without: ${utterances} utterances with a list, of
${size} words or phrases with those that are not said; ${bWer.of} of the ${wer.of} words of the references are hotwords. B-WER has the errors on these, U-WER all others, as
Le et al. 2021 count them. False insertions are listed words that were written but not said, for each ${WORDS} words. Recited: the output
was the list, and was decoded again without. Differences have 95 % intervals by paired bootstrap.

${markdownTable(HEAD, rows)}`
}

function figures({ bWer, uWer, wer, recall, falseInsertions }: HotwordFigures): string[] {
  return [
    ...[bWer, uWer, wer, recall].map(({ rate }) => percent(rate)),
    `${perThousand(falseInsertions.rate)} (${falseInsertions.count})`,
  ]
}

function changes({ bWer, uWer, wer, recall, falseInsertions }: HotwordDifferences): string[] {
  const write = (unit: number) => (value: { difference: number; low: number; high: number }) =>
    `${signed(unit * value.difference)} (${signed(unit * value.low)} to ${signed(unit * value.high)})`
  return [...[bWer, uWer, wer, recall].map(write(100)), write(WORDS)(falseInsertions)]
}

function perThousand(share: number): string {
  return Number.isFinite(share) ? (WORDS * share).toFixed(2) : '-'
}
