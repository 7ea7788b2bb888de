// SPDX-License-Identifier: Apache-2.0

import type { Dataset } from '../../eval/dataset/utterance.ts'
import type { HotwordLists } from '../../eval/hotwords/hotwords.ts'
import { normalizedWords } from '../../eval/normalize/normalizers.ts'
import { plural } from '../../eval/plural.ts'
import type { ResultRecord, UtteranceRecord } from '../../eval/record.ts'
import type { SystemDescription } from '../../eval/run-description.ts'
import type { System } from '../../eval/system.ts'
import { EXIT, Failure } from '../shared/failure.ts'

/** One record of each utterance that was chosen. */
export function chosenRecords(
  datasets: readonly Pick<Dataset, 'name' | 'keys'>[],
  records: readonly ResultRecord[],
): UtteranceRecord[] {
  const keys = new Map(datasets.map(({ name, keys: chosen }) => [name, new Set(chosen)]))
  const found = records.flatMap((record) =>
    record.kind === 'utterance' && keys.get(record.dataset)?.has(record.key)
      ? [[`${record.dataset} ${record.key}`, record] as const]
      : [],
  )
  return [...new Map(found).values()]
}

/**
 * Check that one of the systems is a recognizer, which can be given lists of hotwords.
 * @throws Failure (wrong usage) when all are forced aligners
 */
export function requireRecognizer(systems: readonly System[]): void {
  if (systems.some(({ kind }) => kind === 'model')) return
  throw new Failure(
    'Found --hotwords without a recognizer among --models: forced aligners take no lists.',
    'Name a speech recognition model too, or leave --hotwords out.',
    EXIT.usage,
  )
}

/**
 * Before models are measured with the lists of a file.
 * @param records of the chosen utterances, without lists
 * @throws Failure when none has a list: the file is of other data
 */
export function requireLists({ source, rows }: HotwordLists, records: readonly UtteranceRecord[]): void {
  const [first] = records
  if (!rows || !first || records.some(({ id }) => rows.has(id))) return
  const [known = ''] = rows.keys()
  throw new Failure(
    `None of the ${plural(records.length, 'utterance')} has a list in ${source}: their ids are such as ${first.id}, those of the file such as ${known}.`,
    'The first column must hold the ids of the dataset; results.jsonl lists them.',
  )
}

/**
 * After models were measured with lists.
 * @throws Failure when no utterance had a list
 */
export function requireUsed(
  lists: Source,
  systems: readonly Setting[],
  records: readonly ResultRecord[],
): void {
  if (areUsed(systems, records)) return
  throw new Failure(
    `None of the utterances has a list in ${lists.source}.`,
    'Write {"file": "a.flac", "text": "...", "hotwords": ["a", "b"]}, or name a .tsv file of lists.',
  )
}

/** A part of an evaluation may be without lists: whether any part has one is known when they are merged. */
export function unusedNotes(
  { source }: Source,
  systems: readonly Setting[],
  records: readonly ResultRecord[],
): string[] {
  if (areUsed(systems, records)) return []
  return [`None of the utterances of this part has a list in ${source}. Check its ids, unless lists are few.`]
}

type Source = Pick<HotwordLists, 'source'>
type Setting = Pick<SystemDescription, 'setting' | 'settings'>

function areUsed(systems: readonly Setting[], records: readonly ResultRecord[]): boolean {
  const settings = new Set(
    systems.flatMap(({ setting, settings: { hotwords } }) => (hotwords ? [setting] : [])),
  )
  const listed = records.filter(
    (record): record is UtteranceRecord => record.kind === 'utterance' && settings.has(record.setting),
  )
  return listed.length === 0 || listed.some(({ hotwords }) => hotwords !== undefined)
}

/** A sentence for each dataset in which utterances have another text than the lists' file has for them. */
export function otherTexts(
  { source, rows = new Map() }: HotwordLists,
  records: readonly UtteranceRecord[],
): string[] {
  const words = (text: string) => normalizedWords(text, 'basic').join(' ')
  const others = records.filter(({ id, reference }) => {
    const text = rows.get(id)?.text
    return text !== undefined && words(text) !== words(reference)
  })
  return [...new Set(others.map(({ dataset }) => dataset))].map((name) => {
    const list = others.filter(({ dataset }) => dataset === name)
    const id = list[0]?.id ?? ''
    const verb = list.length === 1 ? 'has' : 'have'
    return `${name}: ${plural(list.length, 'utterance')} ${verb} another reference than the text in ${source}, first ${id} (line ${rows.get(id)?.line}). The dataset's references are scored.`
  })
}
