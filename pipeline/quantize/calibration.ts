// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isOnHub, openDataset } from '../../eval/dataset/open.ts'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { hashFile } from '../../eval/hash-file.ts'
import { megabytes } from '../../eval/report/number-text.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { defined } from '../../eval/runtime/defined.ts'
import type { CalibrationChoice } from '../calibration-choice.ts'
import { connectHub } from '../hub/connection.ts'
import { CALIBRATION_SPEECH } from '../models.ts'
import { runPython } from '../python/run-python.ts'
import { toolVersions } from '../release/provenance.ts'
import { requireSpace } from '../shared/disk-space.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { exists, writeJson } from '../shared/output-files.ts'
import { answerAll, type CalibrationSpeech, clipFile, readSpeech } from './calibration-clips.ts'
import {
  type CalibrationClip,
  type CalibrationIndex,
  indexFile,
  readCalibrationClip,
  readIndex,
} from './calibration-index.ts'
import { calibrationPlace, missingStates, removeStale } from './calibration-place.ts'

/** Fewer show too little of what a weight meets. */
const LEAST_CLIPS = 8
/** Fewer than these get a note. */
const GOOD_CLIPS = 16
/** Of all clips together; 16 to 32 sentences have 100 to 400. */
const MOST_SECONDS = 600
/** As `npm run evaluate` fetches unasked. */
const MAX_DOWNLOAD = 1e9

/** What is calibrated, on which speech, and where the result is kept. */
export interface CalibrationOptions extends CalibrationChoice {
  /** release directory with FP32's graphs */
  readonly model: string
  /** its folder for intermediate results */
  readonly work: string
  readonly threads: number
  readonly python: Parameters<typeof runPython>[2]
  readonly emit: Emit
  readonly signal: AbortSignal
  /** what the variants are judged on: sha256 of samples, with a name for the clip */
  readonly judged: ReadonlyMap<string, string>
}

/** A finished calibration. */
export interface Calibration {
  readonly folder: string
  readonly index: CalibrationIndex
}

/**
 * What the decoder's weights meet: speech with FP32's own answers, and the hidden states of both in every layer. It is
 * made once for a model, its clips and these versions; a killed run continues where it was.
 * @throws Failure with exit code 3 for clips that the variants are judged on; for too few of them, or without speech
 */
export async function calibrate(options: CalibrationOptions): Promise<Calibration> {
  const { model, work, emit, signal, python } = options
  const note = (text: string) => emit({ event: 'note', text })
  const dataset = await openSpeech(options)
  const speech = shortened(await readSpeech(dataset, signal, note), note)
  requireApart(speech, options.judged)
  requireEnough(speech.length, dataset.name, 'recordings')
  if (speech.length < GOOD_CLIPS)
    note(`Calibration on ${speech.length} clips: ${GOOD_CLIPS} to 32 show more of what the weights meet.`)
  const versions = await versionsOf()
  const place = await calibrationPlace({ model, work }, speech, versions)
  const { key, folder } = place
  await removeStale(place)
  const index = await answered(dataset, speech, folder, key, versions, options)
  const missing = await missingStates(model, folder, index)
  if (missing === 0) return { folder, index }
  const hint = 'Make room, or take fewer clips with --calibration-clips.'
  await requireSpace(folder, missing, 'The calibration', hint)
  await runPython('quantize/calibrate.py', ['--model', model, '--calibration', folder], python)
  return { folder, index }
}

async function openSpeech({ dataset, clips, work, signal, emit }: CalibrationOptions): Promise<Dataset> {
  const hub = isOnHub(dataset) ? await connectHub() : undefined
  const selection = { sample: 'seeded', count: clips, seed: 1 } as const
  const opened = await openDataset(dataset, {
    ...{ selection, keepEmpty: true, cache: join(work, 'datasets'), signal },
    ...defined({ endpoint: hub?.url, token: hub?.token }),
    onRetry: (reason) => emit({ event: 'note', text: `${reason}; asking again` }),
  })
  if (opened.download <= MAX_DOWNLOAD) return opened
  throw new Failure(
    `The calibration on ${opened.name} needs ${megabytes(opened.download)} from the hub, wanted at most ${megabytes(MAX_DOWNLOAD)}.`,
    'Take fewer clips with --calibration-clips, or give --calibration another dataset.',
  )
}

/** The first clips, as many as MOST_SECONDS holds: their hidden states take up to 2 GB of disk. */
function shortened(speech: readonly CalibrationSpeech[], note: (text: string) => void): CalibrationSpeech[] {
  let seconds = 0
  const taken = speech.filter(({ samples }) => {
    seconds += samples.length / SAMPLE_RATE
    return seconds <= MOST_SECONDS
  })
  if (taken.length < speech.length)
    note(`Calibration takes ${taken.length} of ${speech.length} clips: ${MOST_SECONDS} s are enough.`)
  return taken
}

/** What chose the weights cannot judge them. */
function requireApart(speech: readonly CalibrationSpeech[], judged: ReadonlyMap<string, string>): void {
  const both = speech.filter(({ sha256 }) => judged.has(sha256))
  const [first] = both
  if (!first) return
  throw new Failure(
    `${both.length} of ${speech.length} clips to calibrate on are also evaluated, first ${first.id} (${judged.get(first.sha256)}).`,
    'Give --calibration other recordings than those that WER and divergence are measured on.',
    EXIT.gate,
  )
}

function requireEnough(found: number, name: string, what: string): void {
  if (found >= LEAST_CLIPS) return
  throw new Failure(
    `The calibration on ${name} has ${found} ${what}, wanted at least ${LEAST_CLIPS}.`,
    'Give --calibration a dataset with more speech: 16 to 32 clips are enough.',
  )
}

async function versionsOf(): Promise<Record<string, string>> {
  const tools = await toolVersions()
  const names = ['onnxruntime-node', 'torch', 'numpy']
  return Object.fromEntries(names.map((name) => [name, tools[name] ?? '']))
}

/** index.json with FP32's answers, those of an earlier run taken as they are. */
async function answered(
  dataset: Dataset,
  speech: readonly CalibrationSpeech[],
  folder: string,
  key: string,
  versions: Readonly<Record<string, string>>,
  options: CalibrationOptions,
): Promise<CalibrationIndex> {
  const { model, threads, emit, signal } = options
  const whole = await readIndex(folder)
  if (whole?.key === key && (await haveFiles(folder, whole.clips))) return whole
  for (const name of await readdir(folder).catch(() => [])) // of other answers
    if (name !== 'clips') await rm(join(folder, name), { recursive: true, force: true })
  await mkdir(join(folder, 'clips'), { recursive: true })
  const missing: { place: number; clip: CalibrationSpeech }[] = []
  for (const [place, clip] of speech.entries()) {
    const known = await readCalibrationClip(clipFile(folder, place))
    if (known?.sha256 !== clip.sha256 || !(await haveFiles(folder, [known]))) missing.push({ place, clip })
  }
  if (missing.length > 0)
    await answerAll(missing, { model, folder, threads, emit, signal }, speech.length - missing.length)
  const all = await Promise.all(speech.map((_, place) => readCalibrationClip(clipFile(folder, place))))
  const clips = all.filter((clip) => clip !== undefined).filter(({ says }) => says !== '')
  for (const clip of all)
    if (clip?.says === '')
      emit({ event: 'note', text: `Calibration leaves ${clip.id} out: FP32 recognizes no speech in it.` })
  requireEnough(clips.length, dataset.name, 'clips with speech')
  const positions = clips.reduce((sum, { prompt_ids, tokens }) => sum + prompt_ids.length + tokens.length, 0)
  const { name, source } = dataset
  const isBundled = options.dataset === CALIBRATION_SPEECH
  // the number that was asked for: with another, a seeded choice is another
  const described = { name, ...source, wanted: options.clips, ...(isBundled && { isBundled }) }
  const index: CalibrationIndex = { format: 1, key, dataset: described, clips, positions, versions }
  await writeJson(indexFile(folder), index)
  return index
}

async function haveFiles(folder: string, clips: readonly CalibrationClip[]): Promise<boolean> {
  for (const { file, sha256 } of clips.flatMap(({ features, mel }) => [features, mel])) {
    const path = join(folder, file)
    if (!(await exists(path)) || (await hashFile(path, 'sha256')) !== sha256) return false
  }
  return true
}
