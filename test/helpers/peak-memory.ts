// SPDX-License-Identifier: Apache-2.0

import { openSpeech } from '../../eval/runtime/audio/speech-stream.ts'

/* Prints by how many bytes a process grows that reads a whole file, and how many samples it gave. */

const path = process.argv[2] ?? ''
const start = process.memoryUsage.rss()
let [most, samples] = [start, 0]
for await (const block of await openSpeech({ path })) {
  samples += block.length
  most = Math.max(most, process.memoryUsage.rss())
}
process.stdout.write(JSON.stringify({ growth: most - start, samples }))
