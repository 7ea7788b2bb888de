// SPDX-License-Identifier: Apache-2.0

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ResultRecord } from '../../eval/record.ts'
import { makeReport } from '../../eval/report/report.ts'
import { readResults } from '../../eval/result-file.ts'
import { type RunDescription, readRun } from '../../eval/run-description.ts'
import { Failure } from '../shared/failure.ts'
import { writeText } from '../shared/output-files.ts'
import { requireWritable } from '../shared/writable.ts'
import { requireUsed } from './hotword-checks.ts'
import { RESULTS, RUN } from './result-files.ts'
import type { Evaluated } from './run-evaluation.ts'
import { writeReport } from './write-report.ts'

interface Part {
  readonly folder: string
  readonly run: RunDescription
  readonly records: readonly ResultRecord[]
}

/**
 * Put the parts of a sharded evaluation together: the figures are those of one run.
 * @throws Failure when a part is missing, incomplete, there twice, or of another evaluation
 */
export async function mergeParts(folders: readonly string[], output: string): Promise<Evaluated> {
  const clash = folders.find((folder) => resolve(folder) === resolve(output))
  if (clash !== undefined) {
    throw new Failure(
      `--output ${output} is one of the parts.`,
      'Name another folder: parts stay as they are.',
    )
  }
  const parts = await Promise.all(folders.map(readPart))
  const sorted = parts.sort((a, b) => (a.run.shard?.index ?? 1) - (b.run.shard?.index ?? 1))
  const [first, ...others] = sorted
  if (!first) throw new Failure('Found no folders, wanted those of all parts.')
  for (const other of others) {
    requireSameLists(first, other)
    requireSame(first, other)
  }
  requireAll(sorted)
  const run = mergeRuns(sorted.map((part) => part.run))
  const records = inOrder(
    run,
    sorted.flatMap((part) => part.records),
  )
  if (run.hotwords) requireUsed(run.hotwords, run.systems, records)
  await requireWritable(output, '--output', 'Name another folder with --output.')
  await mkdir(output, { recursive: true })
  await writeText(join(output, RESULTS), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  return { output, report: await writeReport(output, run, records, []) }
}

async function readPart(folder: string): Promise<Part> {
  const run = await readRun(join(folder, RUN))
  if (run === undefined) {
    throw new Failure(`${folder} holds no ${RUN}.`, 'Give the --output folders of runs that have ended.')
  }
  const records = await readResults(join(folder, RESULTS))
  const { missing } = makeReport(run, records, [])
  if (missing > 0) {
    throw new Failure(`${folder} lacks ${missing} results.`, 'Run that part again: it continues.')
  }
  return { folder, run, records }
}

/** Lists by their content; their names are for the message. */
function requireSameLists(first: Part, other: Part): void {
  const [wanted, found] = [first.run.hotwords, other.run.hotwords]
  if (wanted?.id === found?.id) return
  const named = (lists: RunDescription['hotwords']) => (lists ? `${lists.source} (${lists.id})` : 'none')
  throw new Failure(
    `${other.folder} is part of another evaluation than ${first.folder}: its lists of hotwords are ${named(found)}, wanted ${named(wanted)}.`,
    'Run all parts with the same --hotwords; the digits are a hash of the file.',
  )
}

/** The same systems with the same settings, on the same choice of the same data. */
function requireSame(first: Part, other: Part): void {
  const aspects = {
    systems: ({ systems }: RunDescription) => systems.map(({ name, settings }) => ({ name, ...settings })),
    datasets: ({ datasets }: RunDescription) =>
      datasets.map(({ name, source, of }) => ({ name, source, of })),
    selection: ({ selection }: RunDescription) => selection,
    shards: ({ shard }: RunDescription) => shard?.of ?? 1,
  }
  for (const [what, aspect] of Object.entries(aspects)) {
    const [a, b] = [first.run, other.run].map((run) => JSON.stringify(aspect(run)))
    if (a !== b) {
      throw new Failure(
        `${other.folder} is part of another evaluation than ${first.folder}: its ${what} differ:\n${b}\nwanted:\n${a}`,
        'Run all parts with the same command except --shard.',
      )
    }
  }
}

function requireAll(parts: readonly Part[]): void {
  const of = parts[0]?.run.shard?.of ?? 1
  const found = parts.map(({ run }) => run.shard?.index ?? 1)
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !found.includes(index))
  if (missing.length > 0) {
    throw new Failure(`Part ${missing.join(', ')} of ${of} is missing.`, 'Give the folders of all parts.')
  }
  if (found.length > of)
    throw new Failure(`Found ${found.length} folders for ${of} parts.`, 'Give each part once.')
}

function mergeRuns(runs: readonly RunDescription[]): RunDescription {
  const [first] = runs
  if (!first) throw new Failure('Found no runs.')
  const { shard: _, ...rest } = first
  return {
    ...rest,
    datasets: first.datasets.map((dataset, i) => {
      const keys = runs.flatMap(({ datasets }) => datasets[i]?.keys ?? [])
      // A folder is counted whole by every part, row groups are looked at by the parts that read them.
      const parts = dataset.source['kind'] === 'folder' ? [first] : runs
      const leftOut = parts.reduce((sum, { datasets }) => sum + (datasets[i]?.leftOut ?? 0), 0)
      return { ...dataset, keys, count: keys.length, leftOut }
    }),
  }
}

/** As one run writes them: machines, then by system, dataset and row. */
function inOrder({ systems, datasets }: RunDescription, records: readonly ResultRecord[]): ResultRecord[] {
  const place = (record: ResultRecord): number[] => {
    if (record.kind === 'machine') return [-1, 0, 0]
    const system = systems.findIndex(({ setting }) => setting === record.setting)
    if (record.kind === 'system') return [system, datasets.length, 0]
    return [system, datasets.findIndex(({ name }) => name === record.dataset), record.row]
  }
  const distinct = [...new Map(records.map((record) => [JSON.stringify(record), record])).values()]
  return distinct
    .map((record) => ({ record, at: place(record) }))
    .sort((a, b) => a.at.map((value, i) => value - (b.at[i] ?? 0)).find((value) => value !== 0) ?? 0)
    .map(({ record }) => record)
}
