// SPDX-License-Identifier: Apache-2.0

import { foundOf, type GateResult, nameOf, verdictOf } from '../release/gate-result.ts'
import { GATE_COLUMNS, gateRows } from '../release/gate-table.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import type { Run } from './stage.ts'

/** Show what gates have found. */
export function reportGates(
  run: Run,
  gates: readonly GateResult[],
  versions: Readonly<Record<string, string>>,
): void {
  const python = Object.entries(versions).map((pair) => pair.join(' '))
  const title = `Parity with PyTorch (${python.join(', ')}): ${verdictOf(gates)}`
  run.emit({ event: 'table', title, columns: GATE_COLUMNS, rows: gateRows(gates) })
}

/**
 * Check that all results of the parity gates pass.
 * @throws Failure with the gate's exit code, naming the first that does not pass
 */
export function requirePass(gates: readonly GateResult[]): void {
  const failed = gates.filter(({ pass }) => !pass)
  const [first] = [...failed.filter(({ problem }) => problem !== undefined), ...failed]
  if (!first) return
  const wanted = first.problem === undefined ? `, wanted at most ${first.limit}` : ''
  const clip = first.worstClip === undefined ? '' : `, clip ${first.worstClip}`
  throw new Failure(
    `The parity gate failed: ${failed.length} of ${gates.length} results, first ${nameOf(first)}${clip}: ${foundOf(first)}${wanted}.`,
    `All comparisons are in report.json. Nothing was packaged.${hintFor(first)}`,
    EXIT.gate,
  )
}

/** A way of prompts can be left out; a variant cannot pass without its weights. */
function hintFor({ prefill }: GateResult): string {
  return prefill === 'int8' ? ' --no-prefill-int8 leaves the prompts in 8 bits out.' : ''
}
