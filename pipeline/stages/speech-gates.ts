// SPDX-License-Identifier: Apache-2.0

import { mainRows, type Report } from '../../eval/report/report.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { shape, text } from '../../eval/runtime/schema.ts'
import { RUN } from '../evaluate/result-files.ts'
import { gatesOf } from '../gates.ts'
import type { KnownLimits } from '../models.ts'
import { GATE_RESULT_WAY, type GateResult, gateResult } from '../release/gate-result.ts'
import { checked } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { gateLimitsOf } from '../variants.ts'
import { isBundled } from './own-evaluation.ts'
import type { Run } from './stage.ts'

/** How a variant was run, of what its system says of itself. */
const SETTINGS = shape({
  provider: text,
  layout: GATE_RESULT_WAY.layout,
  prefill: GATE_RESULT_WAY.prefill,
})

/** What the gates say of what every variant made of the speech. @throws Failure when a variant was not evaluated */
export function speechGates(run: Run, report: Report): GateResult[] {
  const rows = new Map(mainRows(report).map((row) => [row.system, row]))
  const systems = new Map(report.systems.map(({ name, settings }) => [name, settings]))
  const fingerprintOf = (name: string) => String(systems.get(name)?.['fingerprint'])
  return run.options.variants.flatMap((variant) => {
    const [row, row32] = [rows.get(variant), rows.get(FP32)]
    if (row === undefined || row32 === undefined) throw new Failure(`${variant} was not evaluated.`)
    const { provider, ...way } = checked(SETTINGS, systems.get(variant), { file: RUN })
    const own = { [variant]: fingerprintOf(variant), [FP32]: fingerprintOf(FP32) }
    const evaluated = { way, row, row32, known: knownLimits(run) }
    return gatesOf(gateLimitsOf(variant, run.options.family) ?? {}).flatMap(([gate, limits]) =>
      gate.kind === 'speech'
        ? gate.judge(evaluated, limits).map((finding) => gateResult(finding, variant, provider, own))
        : [],
    )
  })
}

/** Limits are for the bundled speech as it is; on other speech the model may be worse for good reasons. */
function knownLimits(run: Run): KnownLimits {
  const { language, context } = run.options
  return isBundled(run) && language === undefined && context === undefined ? run.known : {}
}
