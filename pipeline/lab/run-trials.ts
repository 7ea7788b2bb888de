// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readOwn } from '../../eval/checked-json.ts'
import { onnxruntimeVersion } from '../../eval/machine.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { loadRecognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { openRelease, type Way } from '../../eval/runtime/release.ts'
import { list, shape, text } from '../../eval/runtime/schema.ts'
import { identifySources } from '../../eval/sources.ts'
import { fingerprintVariants } from '../evaluate/fingerprint.ts'
import type { WayPositions } from '../gates/gate.ts'
import type { runPython } from '../python/run-python.ts'
import { findPython } from '../python/venv.ts'
import { type Calibration, calibrate } from '../quantize/calibration.ts'
import { needsCalibration } from '../recipes.ts'
import { CLIP_FIDELITY, type ClipFidelity } from '../release/fidelity-schema.ts'
import { isFull } from '../shared/disk-space.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { writeJson } from '../shared/output-files.ts'
import type { Paths } from '../shared/paths.ts'
import { requireWritable } from '../shared/writable.ts'
import { BASELINE } from '../variants.ts'
import { clipFidelities, fidelityOf } from './fidelity.ts'
import { followClips } from './follow-clips.ts'
import { fp32Release } from './fp32-release.ts'
import { type JudgedClips, openJudgedClips } from './judged-clips.ts'
import { onnxReference, referenceClips } from './onnx-reference.ts'
import {
  bytesByPart,
  keepTrial,
  makeTrial,
  requireNew,
  requireTrialFits,
  trialVariant,
} from './trial-graphs.ts'
import { readTrialRecipes, spelled, type TrialRecipe, withAlphas } from './trial-recipe.ts'
import { addTrial, knownRun, type TrialFingerprints, type TrialRecord } from './trial-record.ts'
import { measureSpeed } from './trial-speed.ts'
import { measureWer } from './trial-wer.ts'

/** What `npm run quantize -- trial` was given. */
export interface TrialOptions {
  readonly modelDir?: string
  readonly recipes: readonly string[]
  /** folder or manifest of recordings */
  readonly speech: string
  /** the first of them; all when it is left out */
  readonly nSamples?: number
  /** strengths of smoothing, separated by commas; those of the recipes when it is left out */
  readonly alpha?: string
  /** dataset to calibrate on, for recipes that need it, and clips of it */
  readonly calibration: string
  readonly calibrationClips: number
  readonly wer: boolean
  /** run what has been run already */
  readonly force: boolean
  /** folder that keeps the graphs, below the trials' names */
  readonly keep?: string
  readonly threads: number
  readonly python?: string
}

/** What decides about a trial's figures, with what they import. */
const MEASURING = [
  'python/quantize/quantize.py',
  'pipeline/quantize/quantize-variant.ts',
  'pipeline/lab/fidelity.ts',
  'pipeline/lab/follow-clips.ts',
]

/** One trial: what it found, now or in an earlier run. */
export interface TrialOutcome {
  readonly record: TrialRecord
  readonly isOld: boolean
}

/** What all trials of a run have in common. */
interface Bench {
  readonly options: TrialOptions
  readonly paths: Paths
  readonly judged: JudgedClips
  readonly reference: string
  readonly fingerprints: Omit<TrialFingerprints, 'recipe'>
  /** of int4 on the same clips, where the release has it */
  readonly base: readonly ClipFidelity[] | undefined
  readonly calibration: () => Promise<Calibration>
  readonly python: (log: string) => Promise<Parameters<typeof runPython>[2]>
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Make and measure trials, one after the other; each is in trials.jsonl before the next begins.
 * @param onOutcome called for each that is known
 * @param onFailure called for each that failed: the others continue
 * @returns how many failed, of how many
 * @throws Failure for what concerns all of them: the folder, the clips, a recipe's file, a full disk
 */
export async function runTrials(
  options: TrialOptions,
  { emit, signal }: { readonly emit: Emit; readonly signal: AbortSignal },
  onOutcome: (outcome: TrialOutcome) => void,
  onFailure: (trial: TrialRecipe, error: unknown) => void,
): Promise<{ readonly failed: number; readonly of: number }> {
  const trials = withAlphas(await readTrialRecipes(options.recipes), options.alpha)
  if (options.keep !== undefined) await requireNew(options.keep, trials)
  const paths = await fp32Release(options.modelDir)
  await requireWritable(paths.work, 'The folder', 'Copy the release to a folder that you can write.')
  const release = await takeLock(join(paths.work, 'lock'), paths.model)
  let failed = 0
  try {
    const bench = await prepare(options, paths, { emit, signal })
    for (const trial of trials) {
      try {
        onOutcome(await runTrial(trial, bench))
      } catch (error) {
        if (signal.aborted || isFull(error) || isOfAll(error)) throw error
        failed++
        onFailure(trial, error)
      }
    }
  } finally {
    await release()
  }
  return { failed, of: trials.length }
}

/** Clips that are judged on too are refused whatever the recipe is. */
function isOfAll(error: unknown): boolean {
  return error instanceof Failure && error.exitCode === EXIT.gate
}

async function prepare(
  options: TrialOptions,
  paths: Paths,
  { emit, signal }: Pick<Bench, 'emit' | 'signal'>,
): Promise<Bench> {
  const { threads } = options
  const judged = await openJudgedClips(paths, options, signal)
  const { [FP32]: fp32 = '' } = await fingerprintVariants(paths, [FP32])
  const code = hashOf(`${await identifySources(MEASURING)} ${onnxruntimeVersion()}`)
  const references = join(paths.work, 'trials', 'reference')
  const reference = await onnxReference(judged, {
    ...{ model: paths.model, references, fp32, threads },
    ...{ emit, signal },
  })
  let interpreter: Promise<string> | undefined
  let calibration: Promise<Calibration> | undefined
  const python = async (log: string) => {
    const { python: given } = options
    interpreter ??= findPython({ emit, signal, ...(given && { python: given }) }).then(({ path }) => path)
    return {
      ...{ python: await interpreter, log: paths.log(log), signal },
      onProgress: (progress: { what: string; done: number; total: number; unit: string }) =>
        emit({ ...progress, event: 'progress' }),
    }
  }
  const bench = {
    ...{ options, paths, judged, reference, emit, signal, python },
    fingerprints: { fp32, clips: judged.fingerprint, code },
    calibration() {
      calibration ??= python('trial-calibration').then((how) =>
        calibrate({
          ...{ dataset: options.calibration, clips: options.calibrationClips },
          ...{ model: paths.model, work: paths.work, threads, python: how, emit, signal },
          judged: new Map(judged.clips.map(({ sha256, path }) => [sha256, path])),
        }),
      )
      return calibration
    },
  }
  return { ...bench, base: await baseOf(bench) }
}

async function runTrial(trial: TrialRecipe, bench: Bench): Promise<TrialOutcome> {
  const { options, paths, emit, signal } = bench
  const folder = join(paths.work, 'trials', `${trial.name}.partial`)
  const python = await bench.python(`trial-${trial.name}`)
  const making = { model: paths.model, folder, python, signal }
  const isCalibrated = needsCalibration(trial.recipe)
  if (isCalibrated) await requireTrialFits(trial, making)
  const calibration = isCalibrated ? await bench.calibration() : undefined
  const fingerprints = {
    ...{ recipe: hashOf(spelled(trial.recipe)), ...bench.fingerprints },
    ...(calibration && { calibration: calibration.index.key }),
  }
  const isEnough = ({ wer }: TrialRecord) => !options.wer || wer !== undefined
  if (!options.force && options.keep === undefined) {
    const known = await knownRun(paths, trial.name, fingerprints, isEnough)
    if (known?.isLast === false) await addTrial(paths, known.record) // list and compare show the last line
    if (known) return { record: known.record, isOld: true }
  }
  emit({ event: 'note', text: `${trial.name}: making the graphs` })
  try {
    const { encoderChoice } = await makeTrial(trial, { ...making, calibration: calibration?.folder })
    const measured = await measure(trial, folder, fingerprints, bench)
    const record = { ...measured, ...defined({ encoderChoice }) }
    await addTrial(paths, record)
    if (options.keep !== undefined) await keepTrial(folder, join(options.keep, trial.name))
    return { record, isOld: false }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(
  trial: TrialRecipe,
  folder: string,
  fingerprints: TrialFingerprints,
  bench: Bench,
): Promise<TrialRecord> {
  const { options, judged, paths, base, signal, emit } = bench
  const { threads } = options
  const variant = trialVariant(trial)
  const speed = await measureSpeed(folder, variant, judged.clips, threads, signal)
  const measured = await follow(folder, variant, bench)
  const bytes = await bytesByPart(folder, variant)
  const followed = { variant: trial.name, provider: USUAL_PROVIDER, bytes: bytes.total, measured }
  const clips = clipFidelities(measured.clips)
  const hasRatio = base !== undefined && measured.problem === undefined
  const common = { model: paths.model, folder, variant, dataset: judged.dataset, cache: paths.work, threads }
  return {
    ...{ name: trial.name, recipe: trial.recipe, fingerprints, clips },
    fidelity: fidelityOf(followed, hasRatio ? { name: BASELINE, clips: base } : undefined),
    ...(options.wer && {
      wer: await measureWer({ ...common, results: join(bench.reference, 'wer.jsonl'), emit, signal }),
    }),
    ...{ bytes, speed },
  }
}

/** Along the reference's tokens, the usual way through the fused layout. */
async function follow(
  folder: string,
  variant: string,
  { judged, reference, options: { threads }, emit, signal }: Omit<Bench, 'base'>,
): Promise<WayPositions> {
  const way = (await openRelease(folder))
    .variant(variant)
    .ways(USUAL_PROVIDER)
    .find(({ layout }) => layout === 'fused') as Way
  const recognizer = await loadRecognizer(folder, { variant, threads, ...way })
  const { length: total } = judged.clips
  const clips = referenceClips(judged, reference, signal, (done) =>
    emit({ event: 'progress', what: variant, done, total, unit: 'clips' }),
  )
  try {
    return await followClips(recognizer, way, clips)
  } finally {
    await releaseRecognizer(recognizer)
  }
}

const BASE = shape({ fingerprint: text, clips: list(CLIP_FIDELITY) })

/** What ratios are to, kept beside the reference; undefined where the release does not have it in the fused layout. */
async function baseOf(bench: Omit<Bench, 'base'>): Promise<readonly ClipFidelity[] | undefined> {
  const { paths, reference } = bench
  const { variants } = await openRelease(paths.model)
  const found = variants.find(({ name }) => name === BASELINE)
  if (!found?.ways(USUAL_PROVIDER).some(({ layout }) => layout === 'fused')) return undefined
  const { [BASELINE]: fingerprint = '' } = await fingerprintVariants(paths, [BASELINE])
  const file = join(reference, `${BASELINE}.json`)
  const kept = await readOwn(BASE, file)
  if (kept?.fingerprint === fingerprint) return kept.clips
  const measured = await follow(paths.model, BASELINE, bench)
  if (measured.problem !== undefined) return undefined
  const clips = clipFidelities(measured.clips)
  await writeJson(file, { fingerprint, clips })
  return clips
}

function hashOf(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}
