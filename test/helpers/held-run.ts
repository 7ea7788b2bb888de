// SPDX-License-Identifier: Apache-2.0

import { open } from 'node:fs/promises'
import { execa } from 'execa'
import { endWithUs } from '../../eval/runtime/children.ts'
import { runPython } from '../../pipeline/python/run-python.ts'
import { interruption } from '../../pipeline/shared/interruption.ts'
import { takeLock } from '../../pipeline/shared/lock.ts'
import { stagePython } from './prepared.ts'

/**
 * A run that never ends by itself: held-run.ts WAY LOCK LOG. It takes the lock, starts children, says "ready", and
 * then waits for them, computes, or reads a FIFO that nobody writes to.
 */
const [way = '', lock = '', log = ''] = process.argv.slice(2)
const python = await stagePython()
interruption('Run it again.', (code) => process.exit(code))
await takeLock(lock, 'a test')
const group = execa('sh', ['-c', 'sleep 600 & sleep 600'], { detached: true, reject: false })
endWithUs(group, { isGroup: true })
await new Promise<void>((resolve) => {
  // Its own ending is what is tested: nothing here listens to the signal.
  const options = { python, log, signal: new AbortController().signal }
  void runPython('../test/helpers/hold_gil.py', [lock], { ...options, onProgress: () => resolve() })
})
process.stdout.write('ready\n')
if (way === 'computes') for (;;) Math.random()
else if (way === 'reads') await open(log.replace('log', 'fifo'))
