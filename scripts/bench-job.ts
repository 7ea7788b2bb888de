// SPDX-License-Identifier: Apache-2.0

import { runEmbedFp16, runShare, runStripAllowzero } from '../pipeline/graph/rewrites.ts'

/* One job of `npm run bench -- graph` in a separate process: prints the seconds it took, imports not counted. */

const [job, ...files] = process.argv.slice(2)
const quiet = { report: () => {}, onBytes: () => {} }
const started = performance.now()
if (job === 'share') await runShare(files, { data: 'shared.data', minimum: 256 }, quiet)
else if (job === 'strip-allowzero') await runStripAllowzero(files, false, quiet)
else if (job === 'embed-fp16') await runEmbedFp16(files, quiet)
else throw new Error(`unknown job ${job}`)
process.stdout.write(`${JSON.stringify((performance.now() - started) / 1000)}\n`)
