// SPDX-License-Identifier: Apache-2.0

import { setMaxListeners } from 'node:events'
import type { Dataset, Utterance } from './dataset/utterance.ts'
import { contextOf, type Hotwords } from './hotwords/hotwords.ts'
import type { Machine } from './machine.ts'
import type { SystemRecord, UtteranceRecord } from './record.ts'
import type { ResultFile } from './result-file.ts'
import { defined } from './runtime/defined.ts'
import { SpeechError } from './runtime/speech-error.ts'
import type { TimedWord } from './runtime/timed-word.ts'
import { type System, settingOf, type Transcriber, type TranscriberOptions } from './system.ts'

/** Seconds by which the words of a reference may end after the recording. */
const LONGEST_EXCESS = 0.5

/** How far an evaluation is: a system is loaded, has transcribed an utterance, or is done. */
export type EvaluationEvent =
  | { readonly event: 'loading'; readonly system: System }
  | {
      readonly event: 'loaded'
      readonly system: System
      /** utterances to do */
      readonly missing: number
    }
  | { readonly event: 'utterance'; readonly system: System; readonly record: UtteranceRecord }
  | { readonly event: 'finished'; readonly system: System }

/** How an evaluation is run. */
export interface EvaluationOptions {
  /** each system's provider stands in place of its own */
  readonly machine: Machine
  readonly signal: AbortSignal
  /** do again what could not be read or transcribed */
  readonly retry?: boolean
}

/**
 * Let every system transcribe every dataset, one system in memory at a time. Each result is in the file before it is
 * yielded; what the file holds already is not done again.
 * @throws SpeechError for what is wrong with a system or dataset; clips that cannot be read or transcribed become records
 */
export async function* evaluate(
  systems: readonly System[],
  datasets: readonly Dataset[],
  results: ResultFile,
  { machine, signal, retry = false }: EvaluationOptions,
): AsyncGenerator<EvaluationEvent> {
  setMaxListeners(0, signal) // one for each utterance under way
  const machines = new Map(systems.map((system) => [system, machineOf(system, machine)]))
  for (const own of machines.values()) {
    const id = settingOf(own)
    const isKnown = results.records.some((record) => record.kind === 'machine' && record.id === id)
    if (!isKnown) await results.add({ kind: 'machine', id, machine: own })
  }
  for (const system of systems) {
    const id = settingOf(machines.get(system) ?? machine)
    const done = doneKeys(system, results, retry)
    const missing = datasets.filter((dataset) => countDone(dataset, done) < dataset.count)
    if (missing.length === 0) continue
    yield { event: 'loading', system }
    const transcriber = await system.start()
    try {
      const left = missing.reduce((sum, dataset) => sum + dataset.count - countDone(dataset, done), 0)
      yield { event: 'loaded', system, missing: left }
      for (const dataset of missing) {
        const wanted = dataset.utterances((key) => !done.has(`${dataset.name} ${key}`), signal)
        const common = { kind: 'utterance', dataset: dataset.name, system: system.name } as const
        const transcribe = async (utterance: Utterance): Promise<UtteranceRecord> => ({
          ...common,
          ...{ setting: system.setting, machine: id },
          ...(await transcribeOne(transcriber, utterance, {
            signal,
            hotwords: system.hotwords?.of(utterance),
            language: dataset.language,
          })),
        })
        for await (const record of inParallel(wanted, transcriber.size, transcribe)) {
          await results.add(record)
          yield { event: 'utterance', system, record }
        }
      }
      await results.add(systemRecord(system, transcriber, id))
      yield { event: 'finished', system }
    } finally {
      await transcriber.close()
    }
  }
}

/** A machine as a system uses it: what computes is the system's own. */
function machineOf({ settings: { provider } }: System, machine: Machine): Machine {
  return typeof provider === 'string' ? { ...machine, executionProvider: provider } : machine
}

/** Dataset and key of what needs not be done; commands that failed are tried again. */
function doneKeys(system: System, { records }: ResultFile, retry: boolean): Set<string> {
  const done = new Set<string>()
  for (const record of records) {
    if (record.kind !== 'utterance' || record.setting !== system.setting) continue
    const key = `${record.dataset} ${record.key}`
    const failed = record.problem !== undefined
    if (failed && (retry || system.kind === 'engine')) done.delete(key)
    else done.add(key)
  }
  return done
}

function countDone(dataset: Dataset, done: ReadonlySet<string>): number {
  return dataset.keys.reduce((sum, key) => sum + (done.has(`${dataset.name} ${key}`) ? 1 : 0), 0)
}

async function transcribeOne(
  transcriber: Transcriber,
  utterance: Utterance,
  {
    signal,
    hotwords,
    language,
  }: Pick<TranscriberOptions, 'signal' | 'language'> & {
    readonly hotwords: Hotwords | undefined
  },
) {
  const { id, row, key, speaker, text: reference, words = [], path, problem } = utterance
  const known = defined({ id, row, key, speaker, reference, hotwords: hotwords && kept(hotwords) })
  const failed = (message: string) => ({
    ...known,
    seconds: 0,
    text: '',
    compute: 0,
    pieces: [],
    problem: message,
  })
  if (path === undefined) return failed(problem ?? 'The dataset holds no audio.')
  try {
    const context = hotwords && contextOf(hotwords)
    const heard = await transcriber.transcribe(path, { signal, context, reference, language })
    const note = excessNote(words, heard.seconds)
    if (note !== undefined) return { ...known, ...heard, warnings: [...(heard.warnings ?? []), note] }
    return { ...known, ...heard, ...(words.length > 0 && { referenceWords: words }) }
  } catch (error) {
    if (error instanceof SpeechError) return failed(error.message.replace(`${path}: `, ''))
    throw error
  }
}

/** Without what else a file says of them. */
function kept({ rare, list }: Hotwords): Hotwords {
  return { rare, list }
}

/** Times that end long after the recording are of another one, or in milliseconds. */
function excessNote(words: readonly TimedWord[], seconds: number): string | undefined {
  const end = words.reduce((last, word) => Math.max(last, word.end), 0)
  if (end <= seconds + LONGEST_EXCESS) return undefined
  return `The times of its words are not compared: they end at ${end} s, and the recording at ${seconds.toFixed(2)} s.`
}

function systemRecord(
  system: System,
  { loadSeconds, peakMemory }: Transcriber,
  machine: string,
): SystemRecord {
  const { name, setting, settings } = system
  return {
    kind: 'system',
    ...defined({ system: name, setting, machine, settings, loadSeconds, peakMemory: peakMemory?.() }),
  }
}

/** Results of `work` in the order in which they come, at most `size` under way. */
async function* inParallel<T, R>(
  items: AsyncIterable<T>,
  size: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay = new Set<Promise<{ readonly self: unknown; readonly result: R }>>()
  const next = async () => {
    const { self, result } = await Promise.race(underWay)
    underWay.delete(self as Promise<{ self: unknown; result: R }>)
    return result
  }
  for await (const item of items) {
    const job: Promise<{ self: unknown; result: R }> = work(item).then((result) => ({ self: job, result }))
    job.catch(() => undefined) // reported when it is awaited
    underWay.add(job)
    if (underWay.size >= size) yield await next()
  }
  while (underWay.size > 0) yield await next()
}
