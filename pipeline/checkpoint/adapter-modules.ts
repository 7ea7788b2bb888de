// SPDX-License-Identifier: Apache-2.0

import type { AdapterConfig } from './adapter-config.ts'
import { matching, patternValues, selected } from './adapter-patterns.ts'

/* The settings of an adapter for each module of the model. */

/** How a module's product is weighed. */
export interface Weighing {
  readonly rank: number
  /** float64, as Python computes it */
  readonly scale: number
}

/** What adapter_config.json says of modules, by name. */
export interface Modules {
  /** which have a low-rank product */
  readonly targets: ReadonlySet<string>
  readonly weighing: (module: string) => Weighing
}

/**
 * What the settings of an adapter mean for modules of the model that it was trained on.
 * @param names of all that may have a low-rank product, and of all that the adapter has tensors of
 * Source: peft 0.21 `check_target_module_exists`, `LoraModel._create_and_replace`
 */
export function modulesOf(config: AdapterConfig, names: readonly string[]): Modules {
  const ranks = patternValues(config.ranks, names, 'rank_pattern')
  const alphas = patternValues(config.alphas, names, 'alpha_pattern')
  return {
    targets: targetsOf(config, names),
    weighing(module) {
      const rank = ranks.get(module) ?? config.rank
      const alpha = alphas.get(module) ?? config.alpha
      return { rank, scale: alpha / (config.isRankStabilized ? Math.sqrt(rank) : rank) }
    },
  }
}

function targetsOf(config: AdapterConfig, names: readonly string[]): ReadonlySet<string> {
  const { targets, excluded, layers } = config
  const wanted = targets === 'all-linear' ? new Set(names) : selected(targets, names, 'target_modules')
  const without = selected(excluded, names, 'exclude_modules')
  const found = [...wanted].filter((name) => !without.has(name) && !isSaved(name, config))
  if (layers === undefined || typeof targets === 'string') return new Set(found)
  const numbers = layerNumbers(config.layerPatterns, found)
  return new Set(found.filter((name) => layers.includes(numbers.get(name) ?? -1)))
}

/** Whether a module is one of those that were trained as a whole, or a part of one. */
export function isSaved(module: string, { savedModules }: Pick<AdapterConfig, 'savedModules'>): boolean {
  const path = module.split('.')
  const inner = path.map((_, i) => path.slice(0, i + 1).join('.'))
  return inner.some((name) => savedModules.some((end) => name === end || name.endsWith(`.${end}`)))
}

/** The number of the layer that a module is in: of the first list of layers in its name, or of a list with a given name. */
function layerNumbers(patterns: readonly string[], names: readonly string[]): ReadonlyMap<string, number> {
  const places = names.flatMap((name) => {
    const [, list, number] = /^(.*?\.[^.]*)\.(\d+)\./.exec(name) ?? []
    return list === undefined ? [] : [{ name, list, number: Number(number) }]
  })
  const lists = [...new Set(places.map(({ list }) => list))]
  const fitting = patterns.flatMap((pattern) => [...matching(`(.*\\.)?${pattern}`, lists, 'layers_pattern')])
  const isWanted = (list: string) => patterns.length === 0 || fitting.includes(list)
  return new Map(places.filter(({ list }) => isWanted(list)).map(({ name, number }) => [name, number]))
}
