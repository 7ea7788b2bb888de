// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROJECT } from '../../eval/runtime/project.ts'
import {
  ALIGNER_RECORD,
  ALIGNERS,
  RECORD,
  RELEASES,
  TEST_PACKAGES,
  TINY_ALIGNER_RECORD,
  TINY_ALIGNERS,
} from './places.ts'
import { isReady, type Prepared, wishFor } from './wishes.ts'

/* What the tests share is made while other tests run. A test that needs it waits here. */

const POLL_MS = 100

async function ready(what: Prepared): Promise<void> {
  await wishFor(what)
  while (!(await isReady(what))) await sleep(POLL_MS)
}

/** Python with the packages of the stages. */
export async function stagePython(): Promise<string> {
  await ready('python')
  return join(PROJECT, '.venv', 'bin', 'python')
}

/** Python that finds the test-only packages too, when it is started with this environment. */
export async function refereePython(): Promise<{ python: string; env: { PYTHONPATH: string } }> {
  await ready('referees')
  return { python: await stagePython(), env: { PYTHONPATH: TEST_PACKAGES } }
}

/** The folder that holds the tiny model's directory, with its release and the exported graphs. Nobody changes it. */
export async function sharedReleases(): Promise<string> {
  await ready('release')
  return RELEASES
}

/**
 * The model directory of a forced aligner with random weights in the tiny shape, FP32 and int4, and what the pipeline said of
 * it. The gates of int4 have failed: random weights decide about nothing firmly. Nobody changes it.
 */
export async function sharedAligner(): Promise<{ folder: string; printed: string }> {
  await ready('aligner')
  const printed = await readFile(ALIGNER_RECORD, 'utf8')
  return { folder: join(ALIGNERS, 'random-aligner-original'), printed }
}

/** The model directory of the trained tiny aligner, with its release. Nobody changes it. */
export async function sharedTinyAligner(): Promise<string> {
  await ready('tiny-aligner')
  return join(TINY_ALIGNERS, 'qwen3-aligner-tiny')
}

/** What the pipeline printed when it made that release. */
export async function tinyAlignerRun(): Promise<string> {
  await ready('tiny-aligner')
  return readFile(TINY_ALIGNER_RECORD, 'utf8')
}

/** What the pipeline printed when it made that release. */
export async function sharedRun(): Promise<string> {
  await ready('release')
  return readFile(RECORD, 'utf8')
}
