// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect } from 'vitest'

/** Ids of the processes that descend from a process now. */
export async function descendants(pid: number): Promise<number[]> {
  const { stdout } = await execa('ps', ['-A', '-o', 'pid=,ppid='])
  const pairs = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  const of = (parent: number): number[] =>
    pairs.flatMap(([child = 0, its]) => (its === parent ? [child, ...of(child)] : []))
  return of(pid)
}

/** Those of them that have not ended; a zombie (Z) has. */
export async function living(pids: readonly number[]): Promise<string[]> {
  const { stdout } = await execa('ps', ['-o', 'stat=,args=', '-p', pids.join()], { reject: false })
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('Z'))
}

/** Wait until all have ended. @throws when some still run after that time */
export async function goneWithin(pids: readonly number[], milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds
  while ((await living(pids)).length > 0 && performance.now() < end) await sleep(50)
  expect(await living(pids)).toEqual([])
}
