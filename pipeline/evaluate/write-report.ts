// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import type { ResultRecord } from '../../eval/record.ts'
import { makeReport, type Report } from '../../eval/report/report.ts'
import { resultsCsv } from '../../eval/report/tables.ts'
import type { RunDescription } from '../../eval/run-description.ts'
import { writeJson, writeText } from '../shared/output-files.ts'
import { REPORT_PAGE, RUN } from './result-files.ts'

/** Write run.json, results.csv, report.json and report.html. */
export async function writeReport(
  output: string,
  run: RunDescription,
  records: readonly ResultRecord[],
  datasets: readonly Pick<Dataset, 'name' | 'audioPath'>[],
): Promise<Report> {
  const report = makeReport(run, records, NORMALIZER_NAMES)
  const audioPath = (dataset: string, key: string) =>
    datasets.find(({ name }) => name === dataset)?.audioPath(key)
  await writeJson(join(output, RUN), run)
  await writeText(join(output, 'results.csv'), resultsCsv(report))
  await writeJson(join(output, 'report.json'), reportJson(report))
  const { reportPage } = await import('../../eval/report/page.ts') // with the libraries that draw
  await writeText(join(output, REPORT_PAGE), await reportPage(report, { audioPath }))
  return report
}

/** The report without what can be had from results.jsonl. */
export function reportJson({ run, systems, machines, rows, missing, scores, ...compared }: Report): object {
  const { differences, timeComparisons } = compared
  const datasets = run.datasets.map(({ keys, ...dataset }) => dataset)
  const utterances = [...scores].flatMap(([dataset, bySystem]) =>
    [...bySystem].flatMap(([system, list]) =>
      list.map(({ record, errors, characters, characterErrors }) => ({
        ...{ dataset, system, id: record.id, seconds: record.seconds, compute: record.compute },
        ...{ ...errors, characters, characterErrors },
      })),
    ),
  )
  const { selection, shard } = run
  return {
    datasets,
    selection,
    ...(shard && { shard }),
    systems,
    machines,
    missing,
    rows,
    differences,
    ...(timeComparisons.length > 0 && { timeComparisons }),
    utterances,
  }
}
