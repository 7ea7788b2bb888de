// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import * as v from 'valibot'
import { readChecked } from '../../eval/checked-json.ts'
import { type FidelityPoint, isDominated } from '../../eval/report/fidelity-plot.ts'
import { percent } from '../../eval/report/number-text.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { section, text } from '../../eval/runtime/schema.ts'
import { fingerprintVariants } from '../evaluate/fingerprint.ts'
import { fidelityChart } from '../release/fidelity-chart.ts'
import { FIDELITIES, type Fidelity } from '../release/fidelity-schema.ts'
import { changedOf, nats, rangeOf, ratioOf } from '../release/fidelity-table.ts'
import { Failure } from '../shared/failure.ts'
import { formatBytes, writeText } from '../shared/output-files.ts'
import { fp32Release } from './fp32-release.ts'
import { readTrials, type TrialRecord } from './trial-record.ts'

/** A variant that was validated, or a trial, with what is known of it. */
export interface ComparedRecipe {
  readonly name: string
  readonly kind: 'variant' | 'trial'
  readonly fidelity: Fidelity
  readonly bytes: number
  /** share of words */
  readonly wer?: number
  readonly stepMs?: number
  readonly promptMs?: number
  /** another one that is smaller and closer to FP32 */
  readonly beatenBy?: string
  /** why its figures cannot be set beside the others' */
  readonly remark?: string
}

const HINT = 'Run the pipeline again with --from validate --force.'
const number = v.number('a number')
/** What is read of report.json: a release that was not validated has no parity, an older one no fidelity. */
const REPORT = section({
  parity: v.optional(section({ fidelity: v.optional(FIDELITIES) })),
  evaluation: v.optional(
    section({
      variants: v.array(section({ variant: text, summary: section({ wer: v.nullish(number) }) })),
    }),
  ),
})

/**
 * All variants of a release that were validated, and all its trials, by their bytes; the chart is written beside the trials.
 * @throws Failure when there is nothing to compare
 */
export async function compareRecipes(
  modelDir: string | undefined,
): Promise<{ readonly compared: ComparedRecipe[]; readonly chart?: string }> {
  const paths = await fp32Release(modelDir)
  const report = await readChecked(REPORT, join(paths.model, 'report.json'), HINT)
  const { [FP32]: fp32 = '' } = await fingerprintVariants(paths, [FP32])
  const compared = compareAll(
    report?.parity?.fidelity ?? [],
    new Map(report?.evaluation?.variants.map(({ variant, summary: { wer } }) => [variant, wer ?? undefined])),
    await readTrials(paths),
    fp32,
  )
  if (compared.length === 0)
    throw new Failure(
      `${paths.model} has neither fidelity of validated variants in report.json nor trials.`,
      'Run trials with npm run quantize -- trial RECIPE.json, or the pipeline with --from validate.',
    )
  const svg = fidelityChart(compared.flatMap(pointOf))
  const chart = join(paths.work, 'trials', 'compare.svg')
  if (svg !== undefined) await writeText(chart, svg)
  return { compared, ...(svg !== undefined && { chart }) }
}

/**
 * Variants and trials by their bytes, with what beats each among those of the same FP32 files and clips.
 * @param fp32 fingerprint of FP32's files as they are now
 */
export function compareAll(
  fidelity: readonly Fidelity[],
  wers: ReadonlyMap<string, number | undefined>,
  trials: readonly TrialRecord[],
  fp32: string,
): ComparedRecipe[] {
  const usual = fidelity.filter(({ provider }) => provider === fidelity[0]?.provider)
  const beside = usual[0] ?? trials.findLast(({ fingerprints }) => fingerprints.fp32 === fp32)?.fidelity
  const all: ComparedRecipe[] = [
    ...usual.map((one): ComparedRecipe => {
      const { variant: name, bytes } = one
      return { ...{ name, kind: 'variant', fidelity: one, bytes }, ...defined({ wer: wers.get(name) }) }
    }),
    ...trials.map((trial): ComparedRecipe => {
      const { name, fidelity: own, bytes, wer, speed } = trial
      return {
        ...{ name, kind: 'trial', fidelity: own, bytes: bytes.total },
        ...(wer && wer.words > 0 && { wer: wer.errors / wer.words }),
        ...{ stepMs: speed.stepMs, promptMs: speed.promptMs },
        ...defined({ remark: remarkOf(trial, beside, fp32) }),
      }
    }),
  ]
  const points = all.flatMap(pointOf)
  return all
    .map((one): ComparedRecipe => {
      const [point] = pointOf(one)
      const better = point && points.find((other) => isDominated(point, [other]))
      return { ...one, ...(better && { beatenBy: better.name }) }
    })
    .sort((a, b) => a.bytes - b.bytes)
}

function remarkOf(
  { fingerprints, fidelity: { clips, positions } }: TrialRecord,
  beside: Fidelity | undefined,
  fp32: string,
): string | undefined {
  if (fingerprints.fp32 !== fp32) return 'of other FP32 files'
  return clips === beside?.clips && positions === beside.positions ? undefined : 'on other clips'
}

function pointOf({ name, kind, bytes, stepMs, remark, fidelity }: ComparedRecipe): FidelityPoint[] {
  const { mean, low, high } = fidelity.kld
  if (mean === null || remark !== undefined) return []
  const speed = stepMs ? 1000 / stepMs : undefined
  const ends = { low: low ?? undefined, high: high ?? undefined }
  return [{ name, bytes, kld: mean, isTrial: kind === 'trial', ...defined({ ...ends, speed }) }]
}

/** Columns of {@link compareRows}. */
export const COMPARE_COLUMNS = [
  ...['name', 'files', 'KLD', 'interval', 'ratio', 'top-1', 'changed', 'WER', 'step ms', 'prompt ms'],
  'remark',
] as const

/** Cells of a table of recipes, by {@link COMPARE_COLUMNS}; KLD in nats. */
export function compareRows(compared: readonly ComparedRecipe[]): string[][] {
  return compared.map(({ name, kind, bytes, fidelity, wer, stepMs, promptMs, beatenBy, remark }) => {
    const { kld, ratio, top1 } = fidelity
    return [
      ...[kind === 'trial' ? `${name} (trial)` : name, formatBytes(bytes), nats(kld.mean), rangeOf(kld)],
      ...[ratioOf(ratio), top1 === null ? '-' : percent(top1), changedOf(fidelity)],
      wer === undefined ? '-' : percent(wer),
      ...[stepMs, promptMs].map((ms) => (ms === undefined ? '-' : ms.toFixed(2))),
      remark ?? (beatenBy === undefined ? '' : `${beatenBy} is smaller and closer`),
    ]
  })
}
