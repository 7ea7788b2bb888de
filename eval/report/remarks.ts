// SPDX-License-Identifier: Apache-2.0

import { plural } from '../plural.ts'
import type { UtteranceRecord } from '../record.ts'
import { PROVIDERS, USUAL_PROVIDER } from '../runtime/providers.ts'
import type { PairedRow, Row } from '../summary.ts'
import { mainDifferences, mainRows, type Report, type SystemFigures } from './report.ts'
import { joinSentences, plainText, type Sentence, sentence } from './sentence.ts'

/* Sentences of a report: differences, failures, and how it was measured. */

/** Clips that could not be read, or were read with a note, are named up to this many of each. */
const CLIPS_SHOWN = 5
/** Of what is said about one, which is a sentence. */
const REASON_COLUMNS = 400

/** What the tables do not say. */
export interface Remarks {
  /** whether systems can be distinguished, a sentence for each two */
  readonly differences: readonly Sentence[]
  /** failed outputs, and what is missing or left out */
  readonly failures: readonly Sentence[]
  /** everything that a figure of speed depends on */
  readonly measured: readonly Sentence[]
}

/** The sentences of a report. */
export function remarksOf(report: Report): Remarks {
  const missing =
    report.missing > 0 ? [sentence`${report.missing} results are missing: run the same command again.`] : []
  const leftOut = report.run.datasets.flatMap(({ name, leftOut: count = 0 }) =>
    count > 0 ? [sentence`${{ name }}: ${plural(count, 'recording')} without a reference left out`] : [],
  )
  return {
    differences: mainDifferences(report).map(differenceSentence),
    failures: [
      ...mainRows(report).flatMap((row) => failureSentence(row, kindOf(report, row.system))),
      ...mainRows(report).flatMap((row) => withoutListSentence(row, report)),
      ...doubtSentences(report),
      ...problemSentences(report),
      ...noteSentences(report),
      ...leftOut,
      ...missing,
    ],
    measured: howMeasured(report),
  }
}

/** All of them, for terminals and model cards. */
export function remarks(report: Report): string[] {
  const { differences, failures, measured } = remarksOf(report)
  return [...differences, ...failures, ...measured].map(plainText)
}

/** Whether two systems can be distinguished. */
function differenceSentence(row: PairedRow): Sentence {
  const { first, second, difference, low, high, distinct, dataset, utterances } = row
  const points = (value: number) => `${value >= 0 ? '+' : '-'}${(100 * Math.abs(value)).toFixed(2)}`
  if (!Number.isFinite(low))
    return sentence`${{ name: dataset }}: ${{ name: second }} and ${{ name: first }} cannot be compared by ${plural(utterances, 'utterance')}: there is no interval`
  const verdict = distinct ? `is ${difference > 0 ? 'worse' : 'better'} than` : 'cannot be distinguished from'
  const figures = `${points(difference)} points of WER, 95 % interval ${points(low)} to ${points(high)}`
  return sentence`${{ name: dataset }}: ${{ name: second }} ${verdict} ${{ name: first }}: ${figures} (paired bootstrap, ${utterances} utterances)`
}

function kindOf({ systems }: Report, system: string) {
  return systems.find(({ name }) => name === system)?.kind
}

function failureSentence(
  { dataset, system, failures, recitals }: Row,
  kind: SystemFigures['kind'] | undefined,
): Sentence[] {
  const { problems, empty, saysNone, withoutMarker, loops, limited } = failures
  const lost =
    kind === 'aligner'
      ? 'could not be read or aligned (they are in no figure)'
      : 'could not be read or transcribed (all their words count as deleted)'
  const said = [
    [problems, lost],
    [empty, 'empty'],
    [saysNone, 'said "language None"'],
    [withoutMarker, 'without <asr_text>'],
    [loops, 'stopped in a loop'],
    [limited, 'cut at the token limit'],
    [recitals, 'recited the context, and decoded again without it'],
  ].flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]))
  return said.length === 0 ? [] : [sentence`${{ name: dataset }}, ${{ name: system }}: ${said.join(', ')}`]
}

/** Utterances for which a file of lists has none. */
function withoutListSentence(
  { dataset, system, utterances, hotwords }: Row,
  { systems }: Report,
): Sentence[] {
  const isGiven = systems.some(({ name, settings }) => name === system && settings['hotwords'] !== undefined)
  const without = utterances - (hotwords?.utterances ?? 0)
  if (!isGiven || without === 0) return []
  const count = `${plural(without, 'utterance')} of ${utterances}`
  return [
    sentence`${{ name: dataset }}, ${{ name: system }}: ${count} without a list of hotwords, transcribed without a context and left out of the table of hotwords`,
  ]
}

/** How many alignments may be wrong, and what is said of the first. */
function doubtSentences({ scores }: Report): Sentence[] {
  return [...scores].flatMap(([dataset, systems]) =>
    [...systems].flatMap(([system, list]) => {
      const doubted = list.flatMap(({ record }) => (record.doubts ? [record] : []))
      const [first] = doubted
      if (!first) return []
      const of = sentence`${{ name: dataset }}, ${{ name: system }}`
      const count = plural(doubted.length, 'utterance')
      const why = { name: first.doubts?.join(' ') ?? '', columns: REASON_COLUMNS }
      return [sentence`${of}: times of ${count} may be wrong, first ${{ name: first.id }}: ${why}`]
    }),
  )
}

/** The first of the clips that could not be read, by name; results.jsonl has all. */
function problemSentences(report: Report): Sentence[] {
  return clipSentences(report, ({ problem }) => problem)
}

/** The same of those that were read, but not as they are: cut short, scaled, or mixed in another way. */
function noteSentences(report: Report): Sentence[] {
  const noteOf = ({ warnings }: UtteranceRecord) => warnings?.join(' ') || undefined
  const counts = report.run.datasets.flatMap(({ name }) => {
    const noted = saidOfClips(report, noteOf).filter(({ dataset }) => dataset === name)
    const count = new Set(noted.map(({ id }) => id)).size
    return count > 0
      ? [
          sentence`${{ name }}: ${plural(count, 'recording')} ${count === 1 ? 'was' : 'were'} read with a note`,
        ]
      : []
  })
  return [...counts, ...clipSentences(report, noteOf)]
}

type Say = (record: UtteranceRecord) => string | undefined

function clipSentences(report: Report, say: Say): Sentence[] {
  const said = saidOfClips(report, say)
  const more = said.length - CLIPS_SHOWN
  return said
    .slice(0, CLIPS_SHOWN)
    .map(
      ({ dataset, id, text }) =>
        sentence`${{ name: dataset }}, ${{ name: id }}: ${{ name: text, columns: REASON_COLUMNS }}`,
    )
    .concat(more > 0 ? [sentence`and ${more} more, in results.jsonl`] : [])
}

/** What is said of each clip, once: systems that read the same recording mostly say the same. */
function saidOfClips({ scores }: Report, say: Say) {
  const records = [...scores.values()].flatMap((systems) =>
    [...systems.values()].flat().map(({ record }) => record),
  )
  const distinct = new Map(
    records.flatMap((record) => {
      const { dataset, id } = record
      const text = say(record)
      return text === undefined ? [] : [[`${dataset} ${id} ${text}`, { dataset, id, text }] as const]
    }),
  )
  return [...distinct.values()]
}

function howMeasured({ machines, systems }: Report): Sentence[] {
  const rtf =
    'RTF = seconds of compute per second of audio, after a warm-up, without reading and decoding the file; commands of other engines with their start'
  return [[rtf], ...howRun(systems), ...machines.map(machineSentence)]
}

function machineSentence({ machine, results }: Report['machines'][number]): Sentence {
  const { cpu, cores, features, threads, workers, memoryGiB, platform } = machine
  const flags = features.length > 0 ? ` (${features.join(', ')})` : ''
  const side =
    workers > 1
      ? `${workers} workers side by side with ${plural(threads, 'thread')} each`
      : plural(threads, 'thread')
  const versions = `onnxruntime ${machine.onnxruntime} ${machine.executionProvider}, Node ${machine.node}`
  return sentence`${results} results on ${{ name: cpu }}${flags}, ${cores} cores, ${memoryGiB} GiB, ${platform}: ${side}, ${versions}`
}

/** A line for every way to run a model, with the systems that were measured so. */
function howRun(systems: readonly SystemFigures[]): Sentence[] {
  const names = new Map<string, Sentence[]>()
  for (const { name, kind, settings } of systems) {
    if (kind === 'engine') continue
    const way = kind === 'aligner' ? aligningOf(settings) : decodingOf(settings)
    names.set(way, [...(names.get(way) ?? []), [{ name }]])
  }
  return [...names].map(([way, of]) => sentence`${joinSentences(of, ', ')}: ${way}`)
}

function aligningOf(settings: SystemFigures['settings']): string {
  const { prefill, language } = settings
  return [
    'given the reference, of which it finds the times; one utterance at a time',
    ...onDevice(settings),
    ...(prefill === 'int8' ? ['prompts in 8 bits'] : []),
    ...(language ? [`as ${language}`] : []),
  ].join(', ')
}

/** What computes, where it is not the processor. */
function onDevice({ provider }: SystemFigures['settings']): string[] {
  if (typeof provider !== 'string' || provider === USUAL_PROVIDER) return []
  const { isTried } = PROVIDERS[provider] ?? { isTried: false }
  return [`on ${provider}${isTried ? '' : ', which this project has never tested'}`]
}

function decodingOf(settings: SystemFigures['settings']): string {
  const { layout, batch, prefill, steady, language, context, prompt, stopLoops, hotwords } = settings
  return [
    `${layout} layout`,
    ...onDevice(settings),
    Number(batch) > 1 ? `up to ${batch} utterances decoded together` : 'one utterance at a time',
    ...(prefill === 'int8' ? ['prompts in 8 bits'] : []),
    ...(steady ? ['steps of an even number of rows, so that batches change no transcript'] : []),
    ...(language ? [`${language} forced`] : []),
    ...(context ? ['with a context'] : []),
    ...(hotwords ? ['with the hotwords of each utterance as its context'] : []),
    ...(prompt === 'legacy' ? ["with the wrong ids of older exporters' prompt"] : []),
    ...(stopLoops === false ? ['loops not stopped'] : []),
  ].join(', ')
}
