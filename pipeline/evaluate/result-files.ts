import { join } from 'node:path'
import type { Layout } from '../layout.ts'

/* Names of an evaluation's files. */

export const RESULTS = 'results.jsonl'
export const RUN = 'run.json'
export const REPORT_PAGE = 'report.html'

/** Where the evaluation stage keeps its results, in the form of `npm run evaluate`. */
export function ownEvaluation(layout: Pick<Layout, 'work'>): string {
  return join(layout.work, 'evaluation')
}
