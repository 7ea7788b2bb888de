// SPDX-License-Identifier: Apache-2.0

import { access, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MADE } from './places.ts'

/*
 * How the tests, which wish for slow things, and prepare.ts, which makes them, speak with each other: by files in a folder of this run. A
 * wish is `wish-NAME`, a thing that is ready `NAME`, and `failed` says why nothing more will come.
 */

/** In the order in which they are made. */
export const PREPARED = ['python', 'referees', 'release', 'aligner', 'tiny-aligner'] as const
export type Prepared = (typeof PREPARED)[number]

/** What is made on the way to a thing. */
const BEFORE: Readonly<Record<Prepared, readonly Prepared[]>> = {
  python: [],
  referees: ['python'],
  release: ['python', 'referees'],
  aligner: ['python'],
  'tiny-aligner': ['python'],
}

const VARIABLE = 'QWEN3_ASR_ONNX_TESTS'

/** Before the tests; the processes of the tests inherit it. */
export async function openWishes(): Promise<void> {
  await mkdir(MADE, { recursive: true })
  process.env[VARIABLE] = await mkdtemp(join(MADE, 'wishes-'))
}

/** The folder of this run. */
export function wishes(): string {
  const folder = process.env[VARIABLE]
  if (folder === undefined) throw new Error('Nothing is prepared: run the tests by npm test.')
  return folder
}

export async function wishFor(what: Prepared): Promise<void> {
  await writeFile(join(wishes(), `wish-${what}`), '')
}

/** Whether somebody wishes for a thing, or for one that needs it. */
export async function isWished(what: Prepared): Promise<boolean> {
  const names = await readdir(wishes())
  const leads = (wish: Prepared) => wish === what || BEFORE[wish].includes(what)
  return PREPARED.some((wish) => names.includes(`wish-${wish}`) && leads(wish))
}

export async function tellReady(what: Prepared): Promise<void> {
  await writeFile(join(wishes(), what), '')
}

export async function tellFailed(reason: string): Promise<void> {
  await writeFile(join(wishes(), 'failed'), reason)
}

/** @throws Error when it will not be */
export async function isReady(what: Prepared): Promise<boolean> {
  if (await isThere(what)) return true
  if (!(await isThere('failed'))) return false
  throw new Error(`Could not prepare the tests: ${await readFile(join(wishes(), 'failed'), 'utf8')}`)
}

function isThere(name: string): Promise<boolean> {
  return access(join(wishes(), name)).then(
    () => true,
    () => false,
  )
}
