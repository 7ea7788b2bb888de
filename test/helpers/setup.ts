// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { execa } from 'execa'
import { buildCommands, builtModule } from './commands.ts'
import { openWishes, tellFailed, wishes } from './wishes.ts'

/** Before the tests: start what prepares the slow things that some of them wish for, and let the others begin meanwhile. */
export default async function setup(): Promise<() => Promise<void>> {
  await openWishes()
  await buildCommands()
  const preparing = execa(process.execPath, [builtModule('test/helpers/prepare.ts')], {
    reject: false,
    stdout: 'ignore',
    stderr: ['inherit', 'pipe'],
  })
  const ended = preparing.then(async ({ exitCode, shortMessage, stderr }) => {
    if (exitCode !== 0) await tellFailed(`${shortMessage}\n${stderr}`)
  })
  return async () => {
    preparing.kill()
    await ended
    await rm(wishes(), { recursive: true, force: true })
  }
}
