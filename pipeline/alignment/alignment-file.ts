// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { ALIGNMENT } from '../../eval/runtime/config-schema.ts'
import { type Parsed, shape } from '../../eval/runtime/schema.ts'
import { checkedText } from '../shared/checked.ts'
import { writeJson } from '../shared/output-files.ts'

/** What config.json says about the output with which words have times. */
export type Alignment = Parsed<typeof ALIGNMENT>

const FILE = 'alignment.json'
const FOUND = shape({ alignment: v.nullable(ALIGNMENT) })

/** Where the stages find what has been found out; there even where words have no times. */
export function alignmentFile(work: string): string {
  return join(work, FILE)
}

/**
 * Read what has been found out about the times of words.
 * @returns undefined where words have no times
 * @throws Failure when the file is missing or not as it was written
 */
export async function readAlignment(work: string): Promise<Alignment | undefined> {
  const file = alignmentFile(work)
  const hint = 'Run the rewrite stage again: --from rewrite.'
  const text = await readFile(file, 'utf8').catch(() => '')
  return checkedText(FOUND, text, { file, hint }).alignment ?? undefined
}

/** Keep what has been found out, for the stages that follow. @param alignment undefined where words have no times */
export async function writeAlignment(work: string, alignment: Alignment | undefined): Promise<void> {
  await writeJson(alignmentFile(work), { alignment: alignment ?? null })
}
