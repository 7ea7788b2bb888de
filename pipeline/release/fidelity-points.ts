// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { hashFile } from '../../eval/hash-file.ts'
import type { FidelityPoint } from '../../eval/report/fidelity-plot.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { section, text } from '../../eval/runtime/schema.ts'
import { exists } from '../shared/output-files.ts'
import type { Paths } from '../shared/paths.ts'
import type { Fidelity } from './fidelity-schema.ts'

const number = v.number('a number')
const end = v.nullish(v.number('a number'))

/** What a chart takes of a line of trials.jsonl. */
const TRIAL = section({
  name: text,
  fingerprints: section({ fp32: text }),
  fidelity: section({
    clips: number,
    positions: number,
    kld: section({ mean: number, low: end, high: end }),
  }),
  bytes: section({ total: number }),
  speed: v.nullish(section({ stepMs: v.nullish(number) })),
})
type Trial = v.InferOutput<typeof TRIAL>

/** Where the results of trials are kept, a line each. */
export function trialsFile({ work }: Pick<Paths, 'work'>): string {
  return join(work, 'trials', 'trials.jsonl')
}

/** Changes when trials are added: what shows them is made again then. */
export async function identifyTrials(paths: Pick<Paths, 'work'>): Promise<string | null> {
  const file = trialsFile(paths)
  return (await exists(file)) ? hashFile(file, 'sha256') : null
}

/**
 * What the chart of size against divergence shows: the variants as the first provider runs them, and trials of the same
 * FP32 files on the same utterances.
 * @param fp32 fingerprint of FP32's files
 */
export async function fidelityPoints(
  paths: Pick<Paths, 'work'>,
  fidelity: readonly Fidelity[],
  reports: readonly Report[],
  fp32: string | undefined,
): Promise<FidelityPoint[]> {
  const [first] = fidelity
  if (first === undefined) return []
  const speeds = new Map(
    reports
      .flatMap(mainRows)
      .filter(({ speed }) => speed.timing && Number.isFinite(speed.tokensPerSecond))
      .map(({ system, speed }) => [system, speed.tokensPerSecond]),
  )
  const own = fidelity.flatMap(({ variant, provider, bytes, kld: { mean, low, high } }): FidelityPoint[] =>
    mean === null || provider !== first.provider
      ? []
      : [
          {
            ...{ name: variant, bytes, kld: mean, isTrial: false },
            ...defined({ low: low ?? undefined, high: high ?? undefined, speed: speeds.get(variant) }),
          },
        ],
  )
  const trials = (await readTrials(paths)).filter(
    ({ name, fidelity: { clips, positions }, fingerprints }) =>
      !own.some((point) => point.name === name) &&
      fingerprints.fp32 === fp32 &&
      clips === first.clips &&
      positions === first.positions,
  )
  return [...own, ...trials.map(pointOf)]
}

/** The last of each name; lines that are cut off or of another form are none. */
async function readTrials(paths: Pick<Paths, 'work'>): Promise<Trial[]> {
  const lines = (await readFile(trialsFile(paths), 'utf8').catch(() => '')).split('\n')
  const byName = new Map<string, Trial>()
  for (const line of lines) {
    const { success, output } = v.safeParse(TRIAL, parsed(line))
    if (success) byName.set(output.name, output)
  }
  return [...byName.values()]
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function pointOf({ name, fidelity: { kld }, bytes, speed }: Trial): FidelityPoint {
  const { stepMs } = speed ?? {}
  return {
    ...{ name, bytes: bytes.total, kld: kld.mean, isTrial: true },
    ...defined({
      low: kld.low ?? undefined,
      high: kld.high ?? undefined,
      speed: stepMs ? 1000 / stepMs : undefined,
    }),
  }
}
