// SPDX-License-Identifier: Apache-2.0

import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as v from 'valibot'
import { MACHINE } from '../../eval/record.ts'
import { count, list, number, type Parsed, shape, text } from '../../eval/runtime/schema.ts'
import { RECIPE } from '../recipe-schema.ts'
import { ENCODER_CHOICE } from '../release/encoder-schema.ts'
import { trialsFile } from '../release/fidelity-points.ts'
import { CLIP_FIDELITY, FIDELITY } from '../release/fidelity-schema.ts'
import type { Paths } from '../shared/paths.ts'

/** What decides about a trial's figures. */
const FINGERPRINTS = shape({
  ...{ recipe: text, fp32: text, clips: text, code: text },
  /** of recipes that need one */
  calibration: v.exactOptional(text),
})
/** What a trial's figures depend on, by content. */
export type TrialFingerprints = Parsed<typeof FINGERPRINTS>

/** Errors and words of the same clips, of the trial and of FP32. */
const WER = shape({ errors: count, words: count, fp32Errors: count, fp32Words: count })

/** One line of trials.jsonl. */
const TRIAL_RECORD = shape({
  name: text,
  recipe: RECIPE,
  fingerprints: FINGERPRINTS,
  /** of a recipe that has several rules for the encoder */
  encoderChoice: v.exactOptional(ENCODER_CHOICE),
  fidelity: FIDELITY,
  /** of each clip, for ratios */
  clips: list(CLIP_FIDELITY),
  wer: v.exactOptional(WER),
  bytes: shape({ decoder: count, encoder: count, embeddings: count, total: count }),
  speed: shape({ stepMs: number, promptMs: number, encoderMs: number, threads: count, machine: MACHINE }),
})
/** A line of trials.jsonl: what one trial found. */
export type TrialRecord = Parsed<typeof TRIAL_RECORD>

/** All trials of a release, the last of each name; lines that are cut off or of another form are none. */
export async function readTrials(paths: Pick<Paths, 'work'>): Promise<TrialRecord[]> {
  const byName = new Map<string, TrialRecord>()
  for (const record of await readRuns(paths)) {
    byName.delete(record.name) // the order is that of the last runs
    byName.set(record.name, record)
  }
  return [...byName.values()]
}

/**
 * The last run with these fingerprints, also under another name, and where other clips or code were used since.
 * @param isEnough what is wanted of it besides
 * @returns the run under this name, and whether it is the last one that has the name
 */
export async function knownRun(
  paths: Pick<Paths, 'work'>,
  name: string,
  fingerprints: TrialFingerprints,
  isEnough: (record: TrialRecord) => boolean,
): Promise<{ readonly record: TrialRecord; readonly isLast: boolean } | undefined> {
  const runs = await readRuns(paths)
  const found = runs.findLast((run) => isSame(run.fingerprints, fingerprints) && isEnough(run))
  if (!found) return undefined
  const isLast = found === runs.findLast((run) => run.name === name)
  return { record: { ...found, name, fidelity: { ...found.fidelity, variant: name } }, isLast }
}

/** Add a trial in one write. A line that a killed run left half written is ended first, so that it spoils none. */
export async function addTrial(paths: Pick<Paths, 'work'>, trial: TrialRecord): Promise<void> {
  const file = trialsFile(paths)
  await mkdir(dirname(file), { recursive: true })
  const before = await readLines(paths)
  const start = before === '' || before.endsWith('\n') ? '' : '\n'
  await appendFile(file, `${start}${JSON.stringify(trial)}\n`)
}

function isSame(a: TrialFingerprints, b: TrialFingerprints): boolean {
  if (a.calibration !== b.calibration) return false
  return a.recipe === b.recipe && a.fp32 === b.fp32 && a.clips === b.clips && a.code === b.code
}

async function readRuns(paths: Pick<Paths, 'work'>): Promise<TrialRecord[]> {
  return (await readLines(paths)).split('\n').flatMap((line) => {
    const { success, output } = v.safeParse(TRIAL_RECORD, parsed(line))
    return success ? [output] : []
  })
}

function readLines(paths: Pick<Paths, 'work'>): Promise<string> {
  return readFile(trialsFile(paths), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
