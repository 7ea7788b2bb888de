// SPDX-License-Identifier: Apache-2.0

import type { Hotwords } from '../hotwords/hotwords.ts'
import type { Machine } from '../machine.ts'
import type { NormalizerName } from '../normalize/normalizers.ts'
import type { ResultRecord, SystemRecord, UtteranceRecord } from '../record.ts'
import type { DatasetDescription, RunDescription, SystemDescription } from '../run-description.ts'
import type { Score } from '../score.ts'
import { compareScores, type PairedRow, type Row, scoreAll, summarize } from '../summary.ts'
import { compareTimes, type TimeComparison } from '../time-comparison.ts'

/** A machine with what it measured. */
export interface MachineUse {
  readonly id: string
  readonly machine: Machine
  /** utterances times systems */
  readonly results: number
}

/** A system with seconds until it was loaded, and the most memory of its process, in bytes. */
export interface SystemFigures extends SystemDescription {
  readonly loadSeconds?: number
  readonly peakMemory?: number
}

/** Everything that was found. */
export interface Report {
  readonly run: RunDescription
  readonly systems: readonly SystemFigures[]
  readonly machines: readonly MachineUse[]
  /** for each dataset, system and normalizer */
  readonly rows: readonly Row[]
  readonly differences: readonly PairedRow[]
  /** for each dataset and normalizer, each aligner with what has times beside it */
  readonly timeComparisons: readonly TimeComparison[]
  /** of the dataset's own normalizer, by dataset, then by system */
  readonly scores: ReadonlyMap<string, ReadonlyMap<string, readonly Score[]>>
  /** utterances that a system has not transcribed yet */
  readonly missing: number
}

/** Put the records of a run together. The same records make the same report, whatever order they came in. */
export function makeReport(
  run: RunDescription,
  records: readonly ResultRecord[],
  normalizers: readonly NormalizerName[],
): Report {
  const rows: Row[] = []
  const differences: PairedRow[] = []
  const timeComparisons: TimeComparison[] = []
  const scores = new Map<string, ReadonlyMap<string, readonly Score[]>>()
  const shown: UtteranceRecord[] = []
  let missing = 0
  for (const dataset of run.datasets) {
    const bySystem = new Map(run.systems.map((system) => [system, latest(records, dataset, system)]))
    for (const found of bySystem.values()) {
      shown.push(...found)
      missing += dataset.keys.length - found.length
    }
    const hotwords = hotwordsOf([...bySystem.values()].flat())
    for (const normalizer of normalizers) {
      const scored = new Map(
        [...bySystem].map(([{ name, kind }, found]) => [
          name,
          scoreAll(found, { kind, normalizer, hotwords }),
        ]),
      )
      const names = { dataset: dataset.name, normalizer }
      for (const { name: system, kind } of run.systems)
        rows.push(summarize({ ...names, system }, kind, scored.get(system) ?? []))
      for (const [one, other] of pairsOf(run.systems.filter(({ kind }) => kind !== 'aligner'))) {
        const [first, second] = [one.name, other.name]
        const sides = [scored.get(first) ?? [], scored.get(second) ?? []] as const
        if (sides.every((side) => side.length > 0)) {
          differences.push(compareScores({ ...names, first, second }, ...sides, isWithLists(one, other)))
        }
      }
      timeComparisons.push(...compareTimes({ ...names, systems: run.systems, scores: scored }))
      if (normalizer === dataset.normalizer) scores.set(dataset.name, scored)
    }
  }
  return {
    ...{ run, rows, differences, timeComparisons, scores, missing },
    systems: run.systems.map((system) => ({ ...system, ...figuresOf(system, records) })),
    machines: machinesOf(shown, records),
  }
}

/** The rows that tables show: each dataset with its own normalizer. */
export function mainRows({ run, rows }: Report): readonly Row[] {
  return rows.filter(hasOwnNormalizer(run))
}

/** The differences that tables show: each dataset with its own normalizer. */
export function mainDifferences({ run, differences }: Report): readonly PairedRow[] {
  return differences.filter(hasOwnNormalizer(run))
}

/** The comparisons of times that tables show: each dataset with its own normalizer. */
export function mainTimeComparisons({ run, timeComparisons }: Report): readonly TimeComparison[] {
  return timeComparisons.filter(hasOwnNormalizer(run))
}

function hasOwnNormalizer({ datasets }: RunDescription) {
  const own = new Map(datasets.map(({ name, normalizer }) => [name, normalizer]))
  return ({ dataset, normalizer }: Pick<Row, 'dataset' | 'normalizer'>) => own.get(dataset) === normalizer
}

/** One record for each utterance: the last, when it was done again. */
function latest(
  records: readonly ResultRecord[],
  { name, keys }: DatasetDescription,
  { setting }: SystemDescription,
): UtteranceRecord[] {
  const wanted = new Set(keys)
  const byKey = new Map<string, UtteranceRecord>()
  for (const record of records) {
    if (record.kind !== 'utterance' || record.dataset !== name || record.setting !== setting) continue
    if (wanted.has(record.key)) byKey.set(record.key, record)
  }
  return [...byKey.values()]
}

/** The slowest loading and the highest memory of all parts. */
function figuresOf({ setting }: SystemDescription, records: readonly ResultRecord[]) {
  const found = records.filter(
    (record): record is SystemRecord => record.kind === 'system' && record.setting === setting,
  )
  const highest = (part: 'loadSeconds' | 'peakMemory') => {
    const values = found.flatMap((record) => record[part] ?? [])
    return values.length > 0 ? { [part]: Math.max(...values) } : {}
  }
  return { ...highest('loadSeconds'), ...highest('peakMemory') }
}

/** The machines of the results that are shown. */
function machinesOf(shown: readonly UtteranceRecord[], records: readonly ResultRecord[]): MachineUse[] {
  const uses = new Map<string, number>()
  for (const { machine } of shown) uses.set(machine, (uses.get(machine) ?? 0) + 1)
  const machines = new Map(
    records.flatMap((record) => (record.kind === 'machine' ? [[record.id, record.machine] as const] : [])),
  )
  return [...machines]
    .map(([id, machine]) => ({ id, machine, results: uses.get(id) ?? 0 }))
    .filter(({ results }) => results > 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

function pairsOf<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((first, i) => items.slice(i + 1).map((second): [T, T] => [first, second]))
}

/** The lists that a system was given, by the utterance's key: the others are scored by them too. */
function hotwordsOf(records: readonly UtteranceRecord[]): ReadonlyMap<string, Hotwords> {
  return new Map(records.flatMap(({ key, hotwords }) => (hotwords ? [[key, hotwords] as const] : [])))
}

/** Whether the second system is the first with lists of hotwords. */
function isWithLists(first: SystemDescription, second: SystemDescription): boolean {
  const { hotwords, ...others } = second.settings
  return hotwords !== undefined && JSON.stringify(others) === JSON.stringify(first.settings)
}
