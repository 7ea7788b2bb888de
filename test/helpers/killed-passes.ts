// SPDX-License-Identifier: Apache-2.0

import { keptPasses } from '../../pipeline/stages/kept-passes.ts'

/* FOLDER ABOUT KILL_AT: three passes, of which one may end the process; which were made, and all results, as JSON. */

const [folder = '', about = '', killAt = ''] = process.argv.slice(2)
const kept = keptPasses(folder, { about })
const made: number[] = []
const results: number[] = []
for (const pass of [1, 2, 3]) {
  const { result } = await kept.pass({ pass }, async () => {
    if (pass === Number(killAt)) process.kill(process.pid, 'SIGKILL')
    made.push(pass)
    return { result: 10 * pass }
  })
  results.push(result)
}
process.stdout.write(JSON.stringify({ made, results }))
