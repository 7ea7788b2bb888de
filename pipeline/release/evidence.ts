import { join, resolve } from 'node:path'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import { makeReport, type Report } from '../../eval/report/report.ts'
import { readResults } from '../../eval/result-file.ts'
import { readRun } from '../../eval/run-description.ts'
import { type Fingerprints, fingerprintVariants } from '../evaluate/fingerprint.ts'
import { ownEvaluation, RESULTS, RUN } from '../evaluate/result-files.ts'
import { Failure } from '../failure.ts'
import type { Layout, Variant } from '../layout.ts'
import { type Provenance, readProvenance } from '../provenance.ts'
import { readSection } from '../report.ts'

export interface ParitySection {
  readonly verdict: string
  /** of the files that were compared */
  readonly fingerprints: Fingerprints
  readonly checks: readonly {
    readonly check: string
    readonly clips: number
    /** null where there was a problem: JSON has no NaN */
    readonly worst: number | null
    readonly tolerance: number
    readonly pass: boolean
    readonly problem?: string
  }[]
  readonly int4: readonly {
    readonly path: string
    readonly positions: number
    readonly meanCosine: number | null
    readonly problem?: string
  }[]
  readonly reference: Readonly<Record<string, string>>
}

export interface EvaluationSection {
  readonly verdict: string
  readonly gates: readonly {
    readonly gate: string
    readonly found: number
    readonly limit: number
    readonly pass: boolean
  }[]
  readonly fingerprints: Fingerprints
  readonly speech: string
  readonly isBundledSpeech: boolean
  readonly language: string
  readonly context: string
}

/** What is known about a model directory, and whether it may be released. */
export interface Evidence {
  readonly provenance: Provenance
  readonly parity?: ParitySection
  readonly evaluation?: EvaluationSection
  /** of systems that are variants of this very model, by their labels */
  readonly reports: readonly Report[]
  /** why it should not be released, a sentence each; empty when every gate has passed */
  readonly problems: readonly string[]
}

/**
 * Put together what the stages before have left.
 * @param evaluations folders of `npm run evaluate`, whose figures of these files are taken too
 * @throws Failure when nothing tells where the graphs come from, or an evaluation has nothing about them
 */
export async function gatherEvidence(
  layout: Layout,
  variants: readonly Variant[],
  evaluations: readonly string[],
): Promise<Evidence> {
  const provenance = await readProvenance(layout)
  if (!provenance) {
    throw new Failure(
      `${layout.model} does not say what it was made of.`,
      'Give a model directory of the pipeline: npm run pipeline -- --model MODEL --until evaluate',
    )
  }
  const fingerprints = await fingerprintVariants(layout, variants)
  const parity = await readSection<ParitySection>(layout, 'parity')
  const evaluation = await readSection<EvaluationSection>(layout, 'evaluation')
  const own = ownEvaluation(layout)
  const reports: Report[] = []
  for (const folder of [...(evaluation ? [own] : []), ...evaluations.map((path) => resolve(path))]) {
    const report = await reportOf(folder, fingerprints, provenance.options.prefillInt8)
    if (report) reports.push(report)
    else if (folder !== own) throw unrelated(folder)
  }
  return {
    ...{ provenance, reports, problems: gateProblems(fingerprints, parity, evaluation) },
    ...(parity && { parity }),
    ...(evaluation && { evaluation }),
  }
}

function gateProblems(
  fingerprints: Fingerprints,
  parity: ParitySection | undefined,
  evaluation: EvaluationSection | undefined,
): string[] {
  const failedParity = parity?.checks.filter(({ pass }) => !pass).map(({ check }) => check) ?? []
  const failedGates = evaluation?.gates.filter(({ pass }) => !pass).map(({ gate }) => gate) ?? []
  return [
    ...sectionProblem('Parity with PyTorch', 'compared', parity, failedParity, fingerprints),
    ...sectionProblem('WER', 'measured', evaluation, failedGates, fingerprints),
  ]
}

function sectionProblem(
  what: string,
  done: string,
  section: { readonly verdict: string; readonly fingerprints: Fingerprints } | undefined,
  failed: readonly string[],
  fingerprints: Fingerprints,
): string[] {
  if (!section) return [`${what} was not ${done}.`]
  if (section.verdict !== 'pass') return [`${what} failed its gate: ${failed.join(', ') || 'int4 logits'}.`]
  const others = Object.entries(fingerprints).filter(([label, hash]) => section.fingerprints[label] !== hash)
  if (others.length === 0) return []
  return [`${what} was ${done} on other files of ${others.map(([label]) => label).join(' and ')} than these.`]
}

/** The part of an evaluation that is about these files. */
async function reportOf(
  folder: string,
  fingerprints: Fingerprints,
  prefillInt8: boolean,
): Promise<Report | undefined> {
  const run = await readRun(join(folder, RUN))
  if (run === undefined) throw noEvaluation(folder)
  const labels = new Map(Object.entries(fingerprints).map(([label, hash]) => [hash, label]))
  const systems = run.systems.flatMap((system) => {
    const name = labels.get(String(system.settings['fingerprint']))
    return name === undefined ? [] : [{ ...system, name }]
  })
  if (systems.length === 0) return undefined
  for (const { name, settings } of systems) requireUsual(folder, name, settings, prefillInt8)
  return makeReport({ ...run, systems }, await readResults(join(folder, RESULTS)), NORMALIZER_NAMES)
}

/**
 * What is published is what a user of the release gets. A language, a context and the batch are told with the figures.
 * @throws Failure for figures of a setting that measures something else
 */
function requireUsual(
  folder: string,
  name: string,
  settings: Readonly<Record<string, unknown>>,
  prefillInt8: boolean,
): void {
  const isQuantized = settings['variant'] !== 'FP32'
  const unusual = [
    ...(settings['prompt'] === 'legacy' ? ['--prompt legacy'] : []),
    ...(prefillInt8 && isQuantized && settings['prefill'] === 'same' ? ['--prefill same'] : []),
    ...(settings['stopLoops'] === false ? ['--no-loop-guard'] : []),
  ]
  if (unusual.length === 0) return
  throw new Failure(
    `The evaluation in ${folder} measured ${name} with ${unusual.join(' and ')}, which is not how releases are used.`,
    'Measure this model directory without, then package it.',
  )
}

function noEvaluation(folder: string): Failure {
  return new Failure(
    `${folder} is not an evaluation: it holds no ${RUN}.`,
    'Give a folder that npm run evaluate has written; it prints its name.',
  )
}

function unrelated(folder: string): Failure {
  return new Failure(
    `The evaluation in ${folder} measured other files than this model's.`,
    'Measure this model directory with npm run evaluate, then package it.',
  )
}
