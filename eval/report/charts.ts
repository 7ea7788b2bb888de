// SPDX-License-Identifier: Apache-2.0

import { type Chart, chartSystems } from './chart-rows.ts'
import type { FidelityPoint } from './fidelity-plot.ts'
import { byLength, bySpeaker } from './group-charts.ts'
import { againstSize, againstSpeed, latencies } from './point-charts.ts'
import type { Report } from './report.ts'
import { errorRates, realTimeFactors } from './row-charts.ts'
import { sizeAgainstFidelity } from './size-against-fidelity.ts'

/** All charts for which there are figures. Observable Plot draws them, without a browser. */
export function drawCharts(report: Report, fidelity: readonly FidelityPoint[] = []): Chart[] {
  const drawn = [errorRates, realTimeFactors, againstSpeed, againstSize].map((draw) => draw(report))
  const groups = [latencies, byLength, bySpeaker].map((draw) => draw(report))
  return [...drawn, sizeAgainstFidelity(fidelity, chartSystems(report)), ...groups].filter(
    (chart) => chart !== undefined,
  )
}
