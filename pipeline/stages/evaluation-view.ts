// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import type { FidelityPoint } from '../../eval/report/fidelity-plot.ts'
import { remarks } from '../../eval/report/remarks.ts'
import type { Report } from '../../eval/report/report.ts'
import { resultsCsv, textTables } from '../../eval/report/tables.ts'
import { fidelityPoints, identifyTrials } from '../release/fidelity-points.ts'
import { fp32Of, PARITY } from '../release/parity-section.ts'
import { readSection } from '../release/report-sections.ts'
import { writeText } from '../shared/output-files.ts'
import { ownReport, ownSpeech } from './own-evaluation.ts'
import type { Run, View } from './stage.ts'

/** The figures of the evaluation stage: tables in the log, results.csv, and a page with every transcript, and trials beside the variants. */
export const evaluationView: View = {
  module: 'pipeline/stages/evaluation-view.ts',
  inputs: async ({ paths }) => ({ trials: await identifyTrials(paths) }),
  outputs: ({ paths }) => ['results.csv', 'evaluation.html'].map((name) => join(paths.model, name)),
  async show(run) {
    const [csv = '', html = ''] = this.outputs(run)
    const report = await ownReport(run)
    await writeText(csv, resultsCsv(report))
    const { reportPage } = await import('../../eval/report/page.ts') // with the libraries that draw
    const speech = await ownSpeech(run)
    const audioPath = (_: string, key: string) => speech.audioPath(key)
    const fidelity = await pointsOf(run, report)
    await writeText(html, await reportPage(report, { audioPath, fidelity }))
    for (const table of textTables(report)) run.emit({ event: 'table', ...table })
    for (const text of remarks(report)) run.emit({ event: 'note', text })
  },
}

async function pointsOf({ paths }: Run, report: Report): Promise<FidelityPoint[]> {
  const parity = await readSection(paths, 'parity', PARITY)
  return fidelityPoints(paths, parity?.fidelity ?? [], [report], fp32Of(parity?.gates ?? []))
}
