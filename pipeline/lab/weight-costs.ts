// SPDX-License-Identifier: Apache-2.0

import type { WeightCost, WeightScan } from './scan-weights.ts'

/* What terminal and page say of a scan. */

/** Weights of layers by layer and role, in the graph's order. */
export interface CostGrid {
  readonly layers: readonly number[]
  readonly roles: readonly string[]
  /** the highest divergence of a weight in a layer */
  readonly highest: number
  at(layer: number, role: string): WeightCost | undefined
}

/** The weights of layers as a grid of layers and roles; weights outside of layers are left out. */
export function gridOf(weights: readonly WeightCost[]): CostGrid {
  const inLayers = weights.filter(({ layer }) => layer !== null)
  const key = (layer: number | null, role: string) => `${layer} ${role}`
  const byPlace = new Map(inLayers.map((weight) => [key(weight.layer, weight.role), weight]))
  return {
    layers: [...new Set(inLayers.flatMap(({ layer }) => (layer === null ? [] : [layer])))],
    roles: [...new Set(inLayers.map(({ role }) => role))],
    highest: inLayers.reduce((most, { kld }) => Math.max(most, kld), 0),
    at: (layer, role) => byPlace.get(key(layer, role)),
  }
}

/** The most costly first. */
export function costliest(weights: readonly WeightCost[], count: number): WeightCost[] {
  return [...weights].sort((a, b) => b.kld - a.kld).slice(0, count)
}

/** How the costs were measured, in one sentence. */
export function methodOf({ method, low, calibration: { name, clips, positions } }: WeightScan): string {
  const how = method === 'scan' ? 'one weight at a time' : 'estimated by the gradient'
  return `KLD from FP32 (nats) of each decoder weight in ${low}, ${how}, on ${clips} clips of ${name} (${positions} positions).`
}

/** What one choice of `auto:N%` comes to. */
export interface ChoiceSum {
  readonly selector: string
  readonly count: number
  readonly addedBytes: number
  /** of the sum of all weights' divergences; 0 when that is 0 */
  readonly share: number
  /** "q 0-2, 5; lm_head" */
  readonly names: string
}

/** What a choice of a scan comes to: its weights, the bytes that they add, and their share of the divergence. */
export function sumOf(
  { share, names }: WeightScan['choices'][number],
  weights: readonly WeightCost[],
): ChoiceSum {
  const chosen = weights.filter(({ name }) => names.includes(name))
  const [own = 0, all = 0] = [chosen, weights].map((some) =>
    some.reduce((sum, { kld }) => sum + Math.max(0, kld), 0),
  )
  return {
    ...{ selector: `auto:${Number((100 * share).toFixed(2))}%`, count: chosen.length },
    addedBytes: chosen.reduce((sum, { bytesLow, bytesHigh }) => sum + bytesHigh - bytesLow, 0),
    ...{ share: all > 0 ? own / all : 0, names: shortNames(chosen) },
  }
}

/** By role, with their layers: there may be a hundred. */
function shortNames(weights: readonly WeightCost[]): string {
  const roles = [...new Set(weights.map(({ role }) => role))]
  return roles
    .map((role) => {
      const layers = weights.flatMap((one) => (one.role === role && one.layer !== null ? [one.layer] : []))
      return layers.length === 0 ? role : `${role} ${ranges(layers)}`
    })
    .join('; ')
}

/** 0, 1, 2, 5 as "0-2, 5". */
function ranges(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = []
  for (const each of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last?.[1] === each - 1) last[1] = each
    else runs.push([each, each])
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
}
