// SPDX-License-Identifier: Apache-2.0

import { plural } from '../../eval/plural.ts'
import { percent } from '../../eval/report/number-text.ts'
import { providerOf } from '../../eval/runtime/providers.ts'
import { GATES, gatesOf } from '../gates.ts'
import { gateLimitsOf, waysOf } from '../variants.ts'
import type { Card } from './card-kind.ts'
import { details } from './card-text.ts'
import type { Evidence } from './evidence.ts'
import { changedOf, nats, rangeOf, ratioOf } from './fidelity-table.ts'
import type { GateResult } from './gate-result.ts'
import { GATE_COLUMNS, gateRows } from './gate-table.ts'
import { markdownTable } from './markdown-table.ts'
import { claimSentence } from './provider-claims.ts'
import { FIDELITY_CHART } from './release-files.ts'

/* What a model card says of how close variants are to FP32, and of the gates that they have passed. */

/** The card's section about fidelity, as blocks of Markdown; none where it was not measured. */
export function fidelitySection({ evidence: { fidelity }, charts }: Card): string[] {
  const [first] = fidelity
  if (first === undefined) return []
  const providers = new Set(fidelity.map(({ provider }) => provider))
  const to = fidelity.find(({ ratio }) => ratio !== undefined)?.ratio?.to
  const rows = fidelity.map((one) => {
    return [
      providers.size > 1 ? `${one.variant} (${one.provider})` : one.variant,
      ...[changedOf(one), nats(one.kld.mean), rangeOf(one.kld), nats(one.kld.p99)],
      one.top1 === null ? '-' : percent(one.top1),
      ...(to === undefined ? [] : [one.variant === to ? '1' : ratioOf(one.ratio)]),
    ]
  })
  return [
    `## How close each variant is to FP32

What each variant says of the next token at the ${first.positions} tokens that PyTorch writes for ${first.clips} utterances, as it is usually run. A transcript is
changed when greedy decoding writes other tokens. KLD is the Kullback-Leibler divergence from FP32, in nats; 0 is the same distribution. Intervals
are 95 %, by bootstrap over utterances.

${markdownTable(
  [
    ...['variant', 'transcripts changed', 'KLD, mean', '95 % interval', 'KLD, p99', 'top-1'],
    ...(to === undefined ? [] : [`KLD, multiple of ${to}`]),
  ],
  rows,
)}`,
    ...(charts.includes(FIDELITY_CHART)
      ? [`![Size of each variant against its divergence from FP32](${FIDELITY_CHART})`]
      : []),
  ]
}

/**
 * Everything that was wanted of these files before they were packaged.
 * @param compared what else than PyTorch variants were compared with
 */
export function gatesSection({ evidence, variants }: Card, compared: string): string[] {
  const { gates, reference } = evidence
  if (gates.length === 0) return []
  const versions = Object.entries(reference).map((pair) => pair.join(' '))
  const found = new Set(gates.map(({ gate }) => gate))
  const named = namesOfGates(variants, evidence)
  const explained = Object.values(GATES).flatMap(({ about }) => {
    const names = [...(named.get(about) ?? [])].filter((name) => found.has(name))
    return names.length === 0 ? [] : [`- ${names.join(', ')}: ${about}`]
  })
  return [
    `## What was checked

Each variant in onnxruntime against the checkpoint in PyTorch (${versions.join(', ')})${compared}: ${gateCount(gates)}.

${claimSentence(evidence.claims)}

${details(
  'Every gate with its figure and limit',
  `${markdownTable(GATE_COLUMNS, gateRows(gates))}

${explained.join('\n')}`,
)}`,
  ]
}

/** How many gates have passed: "all 21 gates passed". */
export function gateCount(gates: readonly GateResult[]): string {
  const passed = gates.filter(({ pass }) => pass).length
  return passed === gates.length
    ? `all ${plural(passed, 'gate')} passed`
    : `${passed} of ${plural(gates.length, 'gate')} passed`
}

/** The figures of each gate as rows name them, by what the gate says of itself. */
function namesOfGates(
  variants: readonly string[],
  { family, provenance: { providers, options } }: Evidence,
): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>()
  for (const variant of variants) {
    for (const provider of providers.map(providerOf)) {
      const ways = waysOf(variant, provider, { ...options, family })
      for (const [gate, limits] of gatesOf(gateLimitsOf(variant, family) ?? {})) {
        const own = names.get(gate.about) ?? new Set()
        for (const figure of gate.figures(ways, limits, provider.tolerance)) own.add(figure.gate)
        names.set(gate.about, own)
      }
    }
  }
  return names
}
