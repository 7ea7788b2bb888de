// SPDX-License-Identifier: Apache-2.0

import { halvesOf } from './halves.ts'

/* The child of platform/device-halves.ts: answers once, and ends with its parent. */

process.on('message', async (provider: string) => {
  process.send?.({ halves: await halvesOf(provider) })
})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL')) // a driver may hang in its own exit
