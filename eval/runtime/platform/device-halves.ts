// SPDX-License-Identifier: Apache-2.0

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../children.ts'
import type { Halves } from '../halves.ts'
import '../no-telemetry.ts' // inherited by the child

/** A driver may hang. */
const LONGEST_WAIT_MS = 30_000

/** What was found out in this process, by provider: a device stays what it is. */
const known = new Map<string, Promise<boolean>>()

/**
 * Whether the device of a provider computes in float16. A small graph is tried in a separate process, since a driver may end the
 * process that it runs in: about a second, once for each provider.
 * @returns false too where the provider is missing or does not answer
 */
export function hasHalves(provider: string): Promise<boolean> {
  const found = known.get(provider) ?? ask(provider)
  known.set(provider, found)
  return found
}

async function ask(provider: string): Promise<boolean> {
  const starter = fileURLToPath(new URL('../worker-start.js', import.meta.url))
  // The library prints on its own account what the answer says.
  const child = fork(starter, ['./halves-child.ts'], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  endWithUs(child)
  const halves = await new Promise<Halves | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), LONGEST_WAIT_MS)
    const done = (found?: Halves) => {
      clearTimeout(timer)
      resolve(found)
    }
    child.on('message', (said: { readonly halves?: Halves }) => done(said.halves))
    child.on('exit', () => done())
    child.on('error', () => done())
    child.send(provider, (error) => error && done())
  })
  child.kill('SIGKILL')
  return halves === 'yes'
}
