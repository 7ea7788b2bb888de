import type { Chart } from './chart-rows.ts'
import { byLength, bySpeaker } from './group-charts.ts'
import { againstSize, againstSpeed, latencies } from './point-charts.ts'
import type { Report } from './report.ts'
import { errorRates, realTimeFactors } from './row-charts.ts'

/** All charts for which there are figures. Observable Plot draws them, without a browser. */
export function drawCharts(report: Report): Chart[] {
  return [errorRates, realTimeFactors, againstSpeed, againstSize, latencies, byLength, bySpeaker]
    .map((draw) => draw(report))
    .filter((chart) => chart !== undefined)
}
