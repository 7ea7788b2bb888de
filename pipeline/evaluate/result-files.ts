// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import type { Paths } from '../shared/paths.ts'

/* Names of an evaluation's files. */

/** Records of utterances, systems and machines, a line each. */
export const RESULTS = 'results.jsonl'
/** What a run measures. */
export const RUN = 'run.json'
/** The report as a page. */
export const REPORT_PAGE = 'report.html'

/** Where the evaluation stage keeps its results, in the form of `npm run evaluate`. */
export function ownEvaluation(paths: Pick<Paths, 'work'>): string {
  return join(paths.work, 'evaluation')
}
