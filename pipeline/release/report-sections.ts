// SPDX-License-Identifier: Apache-2.0

import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type * as v from 'valibot'
import { checked } from '../shared/checked.ts'
import { writeJson } from '../shared/output-files.ts'
import type { Paths } from '../shared/paths.ts'

const SECTIONS = ['parity', 'evaluation'] as const
/** A part of report.json that one stage writes. */
export type Section = (typeof SECTIONS)[number]

/** Where a stage's own section is kept; report.json joins them. */
export function sectionFile(paths: Paths, section: Section): string {
  return join(paths.work, `${section}.json`)
}

/** Keep a stage's section, and join all sections to report.json. */
export async function writeSection(paths: Paths, section: Section, value: object): Promise<void> {
  await writeJson(sectionFile(paths, section), value)
  await joinSections(paths)
}

/**
 * Read a stage's section.
 * @returns what the stage wrote; undefined when it has not ended
 * @throws Failure naming the key that is not as the schema requires
 */
export async function readSection<Schema extends v.GenericSchema>(
  paths: Paths,
  section: Section,
  schema: Schema,
): Promise<v.InferOutput<Schema> | undefined> {
  const file = sectionFile(paths, section)
  const value = await readJsonIfThere(file)
  const hint = 'Run the pipeline again with --from validate --force.'
  return value === undefined ? undefined : checked(schema, value, { file, hint })
}

async function readJsonIfThere(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined // cut off: as if the stage had not ended
  }
}

/** Make report.json from the sections there are; without any there is no report. */
export async function joinSections(paths: Paths): Promise<void> {
  const path = join(paths.model, 'report.json')
  const sections = await Promise.all(
    SECTIONS.map(async (name) => [name, await readJsonIfThere(sectionFile(paths, name))] as const),
  )
  const made = sections.filter(([, value]) => value !== undefined)
  if (made.length === 0) await rm(path, { force: true })
  else await writeJson(path, Object.fromEntries(made))
}
