// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'
import { openSources } from '../../eval/sources.ts'
import type { Prepared } from './wishes.ts'

/* What a test file needs, read in the modules that it imports. */

/** Who asks for what, the dearest first; the later ones are made on the way to it. */
const ASKING: readonly (readonly [Prepared, RegExp])[] = [
  ['release', /\b(?:sharedReleases|sharedRun)\(/],
  ['tiny-aligner', /\b(?:sharedTinyAligner|tinyAlignerRun)\(/],
  ['aligner', /\bsharedAligner\(/],
  ['referees', /\brefereePython\(/],
  ['python', /\bstagePython\(/],
]
/** Starts processes, browsers or servers, which take seconds. */
const STARTS = /\b(?:execa|startBrowser|fork|spawn)\(/

/** A test file that says so computes for long. */
const SLOW = /^\/\* Slow: /m

/** They define what the others ask for. */
const ANSWERING = ['test/helpers/prepared.ts']

export interface Needs {
  /** undefined: nothing that is prepared */
  readonly prepared?: Prepared
  /** runs in this process alone, and is quick */
  readonly isUnit: boolean
}

const sources = openSources(PROJECT)

export async function needsOf(testFile: string): Promise<Needs> {
  const { files } = await sources.of([relative(PROJECT, testFile)])
  const own = files.filter((file) => file.startsWith('test/') && !ANSWERING.includes(file))
  const text = (await Promise.all(own.map((file) => readFile(join(PROJECT, file), 'utf8')))).join('\n')
  const prepared = ASKING.find(([, asks]) => asks.test(text))?.[0]
  return {
    ...(prepared && { prepared }),
    isUnit: prepared === undefined && !STARTS.test(text) && !SLOW.test(text),
  }
}
