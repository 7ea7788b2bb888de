import { join } from 'node:path'
import { remarks } from '../../eval/report/remarks.ts'
import { resultsCsv, textTables } from '../../eval/report/tables.ts'
import { writeText } from '../shared/output-files.ts'
import { ownReport, ownSpeech } from './own-evaluation.ts'
import type { View } from './stage.ts'

/** The figures of the evaluation stage: tables in the log, results.csv, and a page with every transcript. */
export const evaluationView: View = {
  module: 'pipeline/stages/evaluation-view.ts',
  outputs: ({ paths }) => ['results.csv', 'evaluation.html'].map((name) => join(paths.model, name)),
  async show(run) {
    const [csv = '', html = ''] = this.outputs(run)
    const report = await ownReport(run)
    await writeText(csv, resultsCsv(report))
    const { reportPage } = await import('../../eval/report/page.ts') // with the libraries that draw
    const speech = await ownSpeech(run)
    await writeText(html, await reportPage(report, { audioPath: (_, key) => speech.audioPath(key) }))
    for (const table of textTables(report)) run.emit({ event: 'table', ...table })
    for (const text of remarks(report)) run.emit({ event: 'note', text })
  },
}
