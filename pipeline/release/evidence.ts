// SPDX-License-Identifier: Apache-2.0

import { join, resolve } from 'node:path'
import * as v from 'valibot'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import type { ResultRecord } from '../../eval/record.ts'
import { makeReport, type Report } from '../../eval/report/report.ts'
import { readResults } from '../../eval/result-file.ts'
import { readRun, type SystemDescription } from '../../eval/run-description.ts'
import { defined } from '../../eval/runtime/defined.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import { providerOf, USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { section, text, truth } from '../../eval/runtime/schema.ts'
import { recordsOf } from '../evaluate/calibrated-clips.ts'
import { withHotwords } from '../evaluate/evaluation-options.ts'
import { type Fingerprints, fingerprintVariants } from '../evaluate/fingerprint.ts'
import { ownEvaluation, RESULTS, RUN } from '../evaluate/result-files.ts'
import { needsCalibration } from '../recipes.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import type { Paths } from '../shared/paths.ts'
import { waysOf } from '../variants.ts'
import type { Fidelity } from './fidelity-schema.ts'
import { GATE_RESULTS, type GateResult } from './gate-result.ts'
import type { Manifest } from './manifest-schema.ts'
import { fp32Of, PARITY } from './parity-section.ts'
import { type Provenance, readProvenance } from './provenance.ts'
import { providerClaims } from './provider-claims.ts'
import { readSection } from './report-sections.ts'
import { type Claim, gateProblems, proofsOf } from './required-gates.ts'

/* What the stages have proved of a model directory, gathered for its release. */

/** What the evaluation stage has left. */
const EVALUATION = section({
  gates: v.optional(GATE_RESULTS, []),
  speech: text,
  isBundledSpeech: truth,
  language: text,
  context: text,
})
/** The section of report.json about the stage's own evaluation, as it was read. */
export type EvaluationSection = v.InferOutput<typeof EVALUATION>

/** What is known about a model directory, and whether it may be released. */
export interface Evidence {
  /** the kind of model */
  readonly family: Family
  readonly provenance: Provenance
  /** of the variants that are asked about */
  readonly gates: readonly GateResult[]
  /** what these prove of each provider that the release is said to run on */
  readonly claims: NonNullable<Manifest['providers']>
  /** of the same variants */
  readonly fidelity: readonly Fidelity[]
  /** fingerprint of the FP32 files that were validated, if they were */
  readonly fp32?: string
  /** versions of what the gates compared with */
  readonly reference: Readonly<Record<string, string>>
  readonly evaluation?: EvaluationSection
  /** of systems that are variants of this very model, by their names; with lists of hotwords, too */
  readonly measured: readonly Report[]
  /** the same without the systems that were given lists */
  readonly reports: readonly Report[]
  /** why it should not be released, a sentence each; empty when every gate has passed */
  readonly problems: readonly string[]
}

/**
 * Put together what the stages before have left.
 * @param evaluations folders of `npm run evaluate`, whose figures of these files are taken too
 * @throws Failure when nothing shows where the graphs come from, or an evaluation has nothing about them
 */
export async function gatherEvidence(
  paths: Paths,
  variants: readonly string[],
  evaluations: readonly string[],
): Promise<Evidence> {
  const provenance = await readProvenance(paths)
  if (!provenance) {
    throw new Failure(
      `${paths.model} has no record of its checkpoint.`,
      'Give a model directory of the pipeline: npm run pipeline -- --model MODEL --until evaluate',
    )
  }
  const { family } = await openRelease(paths.model)
  const parity = await readSection(paths, 'parity', PARITY)
  const evaluation = await readSection(paths, 'evaluation', EVALUATION)
  const isOwn = ({ variant }: Pick<GateResult, 'variant'>) => variants.includes(variant)
  const gates = [...(parity?.gates ?? []), ...(evaluation?.gates ?? [])].filter(isOwn)
  const fp32 = fp32Of(parity?.gates ?? [])
  const fingerprints = await fingerprintVariants(paths, variants)
  const isCurrent = ({ variant }: Pick<GateResult, 'variant'>) =>
    gates.some((gate) => gate.variant === variant && gate.fingerprints[variant] === fingerprints[variant])
  const fidelity = (parity?.fidelity ?? []).filter((one) => isOwn(one) && isCurrent(one))
  const now = { ...(await fingerprintsOf(paths, gates, variants)), ...fingerprints }
  const { providers, options } = provenance
  const claim = { variants, providers, prefillInt8: options.prefillInt8, family }
  const own = ownEvaluation(paths)
  const proofs = proofsOf(claim, gates, now)
  const found: Found[] = []
  for (const folder of [...(evaluation ? [own] : []), ...evaluations.map((path) => resolve(path))]) {
    const report = await reportOf(folder, fingerprints, claim, provenance)
    if (report) found.push(report)
    else if (folder !== own) throw unrelated(folder)
  }
  return {
    ...{ family, provenance, gates, fidelity, claims: providerClaims(claim, proofs, parity?.devices) },
    ...{ measured: found.map(({ measured }) => measured), reports: found.map(({ usual }) => usual) },
    reference: parity?.reference ?? {},
    problems: gateProblems(claim, proofs),
    ...defined({ evaluation, fp32 }),
  }
}

/** Of the other variants that results were found with; one that is not there any more has none. */
async function fingerprintsOf(
  paths: Paths,
  gates: readonly GateResult[],
  variants: readonly string[],
): Promise<Fingerprints> {
  const names = new Set(gates.flatMap(({ fingerprints }) => Object.keys(fingerprints)))
  const there = (await openRelease(paths.model)).variants.map(({ name }) => name)
  return fingerprintVariants(
    paths,
    there.filter((name) => names.has(name) && !variants.includes(name)),
  )
}

/** Of one evaluation. */
interface Found {
  readonly measured: Report
  /** without the systems that were given lists of hotwords */
  readonly usual: Report
}

/** The part of an evaluation that is about these files. */
async function reportOf(
  folder: string,
  fingerprints: Fingerprints,
  claim: Claim,
  provenance: Provenance,
): Promise<Found | undefined> {
  const run = await readRun(join(folder, RUN))
  if (run === undefined) throw noEvaluation(folder)
  const names = new Map(Object.entries(fingerprints).map(([name, hash]) => [hash, name]))
  const systems = run.systems.flatMap((system) => {
    const variant = names.get(String(system.settings['fingerprint']))
    return variant === undefined ? [] : [{ variant, system }]
  })
  if (systems.length === 0) return undefined
  for (const { variant, system } of systems) requireUsual(folder, variant, system.settings, claim)
  const records = await readResults(join(folder, RESULTS))
  requireApart(folder, records, provenance, claim)
  const named = systems.map(({ variant, system }) => {
    const name = nameOn(providerIn(system.settings), variant, claim)
    return { ...system, name: hasLists(system) ? withHotwords(name) : name }
  })
  const { hotwords, ...others } = run
  const report = (of: readonly SystemDescription[]) => {
    const lists = of.some(hasLists) ? defined({ hotwords }) : {}
    return makeReport({ ...others, ...lists, systems: [...of] }, records, NORMALIZER_NAMES)
  }
  const measured = report(named)
  return {
    measured,
    usual: named.some(hasLists) ? report(named.filter((system) => !hasLists(system))) : measured,
  }
}

/** Figures of the first provider have the variant's own name; those of others say whose they are. */
function nameOn(provider: string, variant: string, { providers }: Claim): string {
  return provider === providers[0] ? variant : `${variant}@${provider}`
}

function providerIn({ provider = USUAL_PROVIDER }: SystemDescription['settings']): string {
  return String(provider)
}

function hasLists({ settings }: Pick<SystemDescription, 'settings'>): boolean {
  return settings['hotwords'] !== undefined
}

/**
 * Speech that chose the weights cannot judge them.
 * @throws Failure with the gate's exit code for an evaluation of clips that a variant was calibrated on
 */
export function requireApart(
  folder: string,
  records: readonly ResultRecord[],
  { calibration, recipes }: Pick<Provenance, 'calibration' | 'recipes'>,
  { variants }: Pick<Claim, 'variants'>,
): void {
  const calibrated = variants.filter((name) => recipes[name] && needsCalibration(recipes[name]))
  if (calibration === undefined || calibrated.length === 0) return
  const names = new Map(calibration.clips.map(({ sha256, id }) => [sha256, id]))
  const unknown = records.find((record) => record.kind === 'utterance' && record.samples === undefined)
  if (unknown?.kind === 'utterance')
    throw new Failure(
      `The evaluation in ${folder} does not say which samples ${unknown.id} of ${unknown.dataset} has, so nothing shows that no variant was calibrated on it.`,
      'An older version made it. Measure again with another --output.',
      EXIT.gate,
    )
  const [known] = recordsOf(records, names)
  if (!known) return
  throw new Failure(
    `The evaluation in ${folder} measured ${known.id} of ${known.dataset}, which ${calibrated.join(', ')} ${calibrated.length === 1 ? 'was' : 'were'} calibrated on (${names.get(known.samples ?? '')}).`,
    'Measure on other speech, or calibrate on other speech with --calibration.',
    EXIT.gate,
  )
}

/**
 * What is published is what a user of the release gets. A language, a context and the batch are named with the figures.
 * @throws Failure for figures of a setting that measures something else
 */
function requireUsual(
  folder: string,
  name: string,
  settings: Readonly<Record<string, unknown>>,
  claim: Claim,
): void {
  const provider = providerIn(settings)
  if (!claim.providers.includes(provider))
    throw new Failure(
      `The evaluation in ${folder} measured ${name} on ${provider}, which the release is not validated for.`,
      `Validate it: npm run pipeline with --providers ${[...claim.providers, provider].join(',')}. Or measure on ${claim.providers.join(' or ')}.`,
      EXIT.gate,
    )
  const [usual] = waysOf(name, providerOf(provider), claim)
  const unusual = [
    ...(settings['prompt'] === 'legacy' ? ['--prompt legacy'] : []),
    ...(usual?.prefill === 'int8' && settings['prefill'] === 'same' ? ['--prefill same'] : []),
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
