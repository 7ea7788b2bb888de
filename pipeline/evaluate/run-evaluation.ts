// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { isOnHub, openDataset } from '../../eval/dataset/open.ts'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { parseEngine } from '../../eval/engine.ts'
import { evaluate } from '../../eval/evaluation.ts'
import { readBiasingLists } from '../../eval/hotwords/biasing-lists.ts'
import type { HotwordLists } from '../../eval/hotwords/hotwords.ts'
import { MANIFEST, MANIFEST_LISTS } from '../../eval/hotwords/manifest-lists.ts'
import { describeMachine } from '../../eval/machine.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { releaseSystem } from '../../eval/release-system.ts'
import { megabytes } from '../../eval/report/number-text.ts'
import type { Report } from '../../eval/report/report.ts'
import { openResults } from '../../eval/result-file.ts'
import type { RunDescription } from '../../eval/run-description.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { requireProvider } from '../../eval/runtime/session.ts'
import { engineSystem, type ModelOptions, type System } from '../../eval/system.ts'
import { type Connection, connectHub } from '../hub/connection.ts'
import { Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { requireWritable } from '../shared/writable.ts'
import { calibratedNotes } from './calibrated-clips.ts'
import { type EvaluateOptions, withHotwords } from './evaluation-options.ts'
import { defaultPlaces, type Places } from './evaluation-places.ts'
import type { Progress } from './evaluation-progress.ts'
import { fingerprintFiles, variantFilesOf } from './fingerprint.ts'
import {
  chosenRecords,
  otherTexts,
  requireLists,
  requireRecognizer,
  requireUsed,
  unusedNotes,
} from './hotword-checks.ts'
import { RESULTS } from './result-files.ts'
import { writeReport } from './write-report.ts'

const REMEDY = 'Name folders that you can write with --output and --cache.'

/** What an evaluation left behind. */
export interface Evaluated {
  readonly report: Report
  readonly output: string
}

/**
 * Measure all systems on all datasets, and write the report. What an earlier run of the same evaluation has measured
 * is not measured again.
 * @throws Failure when a download would be larger than allowed, or another run works in the same folder
 */
export async function runEvaluation(
  options: EvaluateOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Evaluated> {
  const hub = options.datasets.some(isOnHub) ? await connectHub() : undefined // refused before anything takes time
  const { results: parent, cache } = await placesOf(options, progress)
  const hotwords = await readLists(options.hotwords)
  const systems = await openSystems(options, hotwords, cache)
  const datasets = await openDatasets(options, hub, cache, progress, signal)
  const output = options.output ?? join(parent, outputName(datasets, options))
  const release = await takeLock(join(output, '.lock'), output)
  try {
    const run = describeRun(systems, datasets, options, hotwords)
    const isPart = options.selection.shard !== undefined
    const results = await openResults(join(output, RESULTS))
    const normalizers = new Map(run.datasets.map(({ name, normalizer }) => [name, normalizer]))
    const normalizerOf = ({ kind }: System, { dataset }: UtteranceRecord) =>
      kind === 'aligner' ? undefined : normalizers.get(dataset)
    const machine = describeMachine(options.threads, options.workers)
    for await (const event of evaluate(systems, datasets, results, {
      machine,
      signal,
      retry: options.retry,
    })) {
      if (event.event === 'loading') {
        if (event.system.hotwords && hotwords && !isPart)
          requireLists(hotwords, chosenRecords(datasets, results.records))
        progress.note(`Loading ${event.system.name}`)
      } else if (event.event === 'loaded') progress.begin(event.system.name, event.missing)
      else if (event.event === 'finished') progress.finish()
      else progress.add(event.record, normalizerOf(event.system, event.record))
    }
    progress.close()
    if (hotwords) {
      if (!isPart) requireUsed(hotwords, systems, results.records)
      const unused = isPart ? unusedNotes(hotwords, systems, results.records) : []
      const others = otherTexts(hotwords, chosenRecords(datasets, results.records))
      for (const note of [...unused, ...others]) progress.note(note)
    }
    for (const note of await calibratedNotes(options.models, results.records)) progress.note(note)
    return { output, report: await writeReport(output, run, results.records, datasets) }
  } finally {
    await release()
  }
}

/** Before anything takes time. */
async function readLists(given: string | undefined): Promise<HotwordLists | undefined> {
  if (given === undefined) return undefined
  return given === MANIFEST ? MANIFEST_LISTS : readBiasingLists(given)
}

/** Where things go, which is checked before anything is fetched or measured. */
async function placesOf(options: EvaluateOptions, progress: Progress): Promise<Omit<Places, 'isOwn'>> {
  const { results, cache: usual, isOwn } = await defaultPlaces()
  const cache = options.cache ?? usual
  await requireWritable(
    options.output ?? results,
    options.output ? '--output' : 'The folder of results',
    REMEDY,
  )
  await requireWritable(cache, options.cache ? '--cache' : 'The cache', REMEDY)
  if (!isOwn && options.output === undefined)
    progress.note(`Results go to ${results}, since this user cannot write in the project's output folder.`)
  return { results, cache }
}

/** A model with lists follows the same without: what the latter has transcribed shows which utterances there are. */
async function openSystems(
  options: EvaluateOptions,
  hotwords: HotwordLists | undefined,
  cache: string,
): Promise<System[]> {
  const { threads, workers, batch, isSteady, prefill } = options
  const { prompt, maxPieceSeconds, stopLoops, maxNewTokens, language, context } = options
  const recognize = defined({
    prompt,
    maxPieceSeconds,
    stopLoops,
    maxNewTokens,
    language,
    context: context || undefined,
  })
  const systems: System[] = []
  for (const { provider } of options.models) requireProvider(provider) // before anything is hashed
  for (const { name, folder, variant, provider } of options.models) {
    const { paths, bytes } = await variantFilesOf(folder, variant)
    const fingerprint = await fingerprintFiles(paths, cache)
    const model: ModelOptions = {
      ...{ name, folder, variant, bytes, fingerprint, threads, workers, batch, isSteady, provider },
      ...defined({ prefill }),
      options: recognize,
    }
    const system = await releaseSystem(model)
    systems.push(system)
    if (hotwords && system.kind === 'model')
      systems.push(await releaseSystem({ ...model, name: withHotwords(name), hotwords }))
  }
  if (hotwords) requireRecognizer(systems)
  for (const text of options.engines) {
    systems.push(await engineSystem(parseEngine(text), workers, options.engineTimeout))
  }
  return systems
}

async function openDatasets(
  options: EvaluateOptions,
  hub: Connection | undefined,
  cache: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Dataset[]> {
  const { selection, textColumn, audioColumn, keepEmpty, maxDownload } = options
  const datasets: Dataset[] = []
  for (const text of options.datasets) {
    const dataset = await openDataset(text, {
      ...{ selection, keepEmpty, cache: join(cache, 'datasets'), signal },
      ...defined({ textColumn, audioColumn, endpoint: hub?.url, token: hub?.token }),
      onRetry: (reason) => progress.note(`${reason}; asking again`),
    })
    const { name, count, of, leftOut, download, source } = dataset
    if (datasets.some((other) => other.name === name)) {
      throw new Failure(
        `Two datasets are named ${name}.`,
        'Measure them one after the other, or rename a folder.',
      )
    }
    const partial = source['partial'] ? ', of a split that the hub converted only in part' : ''
    const cost = download > 0 ? `, ${megabytes(download)} to fetch` : ''
    const blank = leftOut > 0 ? `, ${leftOut} without a reference left out (--keep-empty measures them)` : ''
    progress.note(`${name}: ${count} of ${of} utterances${blank}${partial}${cost}`)
    datasets.push(dataset)
  }
  const total = datasets.reduce((sum, { download }) => sum + download, 0)
  if (total > maxDownload) {
    throw new Failure(
      `This needs ${megabytes(total)} from the hub, and --max-download is ${megabytes(maxDownload)}.`,
      'Allow more, or take fewer utterances with --n-samples.',
    )
  }
  if (datasets.every(({ count }) => count === 0)) {
    const { shard } = selection
    const blank = datasets.reduce((sum, { leftOut }) => sum + leftOut, 0)
    const of = [
      ...(shard ? [`part ${shard.index} of ${shard.of}`] : []),
      ...(blank > 0 ? [`${blank} without a reference`] : []),
    ]
    throw new Failure(
      `There are no utterances in this selection${of.length > 0 ? ` (${of.join(', ')})` : ''}.`,
      blank > 0
        ? 'Name the column of references with --text-column, or measure recordings without one with --keep-empty.'
        : shard
          ? 'Use fewer parts than there are utterances.'
          : 'Check the content of the dataset.',
    )
  }
  return datasets
}

function describeRun(
  systems: readonly System[],
  datasets: readonly Dataset[],
  { selection, normalizer }: EvaluateOptions,
  hotwords: HotwordLists | undefined,
): RunDescription {
  const { sample, count, seed, shard } = selection
  return {
    datasets: datasets.map(({ name, source, count: chosen, of, leftOut, keys, language, ...own }) => ({
      ...defined({ name, source, count: chosen, of, leftOut, keys, language }),
      normalizer: normalizer ?? own.normalizer ?? 'basic',
    })),
    systems: systems.map(({ name, kind, settings, setting, bytes }) =>
      defined({ name, kind, settings, setting, bytes }),
    ),
    selection: { sample, ...(sample !== 'all' && { count }), ...(sample === 'seeded' && { seed }) },
    ...defined({ shard }),
    ...(hotwords && { hotwords: { id: hotwords.id, source: basename(hotwords.source) } }),
  }
}

function outputName(datasets: readonly Dataset[], { selection: { shard } }: EvaluateOptions): string {
  const names = datasets.map(({ name }) => name.replace(/[^\w.-]+/g, '-')).join('+')
  return shard ? `${names}.part-${shard.index}-of-${shard.of}` : names
}
