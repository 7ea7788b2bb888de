// SPDX-License-Identifier: Apache-2.0

import { startModelHub } from '../test/hub/model-hub.ts'

/* The stand-in of the hub in a separate process, for bench-publish.ts: prints its address, ends with its parent. */

const hub = await startModelHub({ partSize: 64 << 20, pageSize: 1000 })
process.stdout.write(`${JSON.stringify({ url: hub.url, token: hub.token })}\n`)
process.stdin.resume().on('end', () => hub.close())
