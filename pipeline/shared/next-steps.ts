// SPDX-License-Identifier: Apache-2.0

import { isAbsolute, relative } from 'node:path'
import type { Family } from '../../eval/runtime/graphs.ts'
import { PLACEHOLDER } from './own-commands.ts'

/** Something to open or to run when a command has ended. */
export interface NextStep {
  /** what for, in a word or two */
  readonly what: string
  /** a path or a command line, to be copied whole */
  readonly text: string
}

/** Where a model directory's release stands, and what can be done with it. */
interface ModelPlaces {
  readonly model: string
  readonly name: string
  /** `asr` by default */
  readonly family?: Family
  /** the page of the evaluation stage, when there is one */
  readonly page?: string
  /** undefined: there is no release yet */
  readonly release?: string
  /** it was packaged although gates had not passed */
  readonly isUngated?: boolean
}

/** The command line that uses a model. */
const USE: Readonly<Record<Family, (folder: string) => string>> = {
  asr: (folder) => `npm run transcribe -- recording.wav --model-dir ${folder}`,
  aligner: (folder) => `npm run align -- recording.wav text.txt --model-dir ${folder}`,
}

/** What to do after a model directory was made: look at its figures, use it, verify and publish it. */
export function stepsAfterModel({
  model,
  name,
  family = 'asr',
  page,
  release,
  isUngated = false,
}: ModelPlaces): NextStep[] {
  const folder = shellWord(shortPath(model))
  return [
    ...(page === undefined ? [] : [{ what: 'figures', text: shortPath(page) }]),
    { what: 'use it', text: USE[family](folder) },
    ...(release === undefined
      ? []
      : [
          { what: 'verify', text: `npm run package -- verify ${folder}` },
          publishStep(folder, name, isUngated),
        ]),
  ]
}

/**
 * The command that tries to publish a release without sending anything.
 * @param folder as it stands on a command line
 * @param isUngated whether the release was packaged although gates had not passed
 */
export function publishStep(folder: string, name: string, isUngated: boolean): NextStep {
  const allowed = isUngated ? ' --allow-ungated' : ''
  return {
    what: 'publish',
    text: `npm run publish -- ${folder} --repo ${PLACEHOLDER}/${name}-onnx --dry-run${allowed}`,
  }
}

/** A path from here, when that is not above. */
export function shortPath(path: string): string {
  const way = relative(process.cwd(), path)
  return way === '' || way.startsWith('..') || isAbsolute(way) ? path : way
}

/** A path as a shell takes it. */
export function shellWord(path: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
