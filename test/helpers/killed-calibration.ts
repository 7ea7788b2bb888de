// SPDX-License-Identifier: Apache-2.0

import './faults.ts' // first: it counts what the calibration changes, and KILL_AT says when to die
import { join } from 'node:path'
import { USUAL_CALIBRATION } from '../../pipeline/calibration-choice.ts'
import { calibrate } from '../../pipeline/quantize/calibration.ts'

/* A calibration in a process of its own, to be killed: killed-calibration.ts MODEL WORK PYTHON. */

const [model = '', work = '', python = ''] = process.argv.slice(2)
const { signal } = new AbortController()
await calibrate({
  ...{ ...USUAL_CALIBRATION, clips: 9, model, work, threads: 1, judged: new Map(), signal },
  python: { python, log: join(work, 'killed.log'), signal, onProgress: () => undefined },
  emit: () => undefined,
})
