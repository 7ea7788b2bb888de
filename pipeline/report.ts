import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from './files.ts'
import type { Layout } from './layout.ts'

const SECTIONS = ['parity', 'evaluation'] as const
export type Section = (typeof SECTIONS)[number]

/** Where a stage's own section is kept; report.json joins them. */
export function sectionFile(layout: Layout, section: Section): string {
  return join(layout.work, `${section}.json`)
}

export async function writeSection(layout: Layout, section: Section, value: object): Promise<void> {
  await writeJson(sectionFile(layout, section), value)
  await joinSections(layout)
}

/** @returns what the stage wrote; the caller knows its shape */
export async function readSection<T>(layout: Layout, section: Section): Promise<T | undefined> {
  const text = await readFile(sectionFile(layout, section), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : JSON.parse(text)
}

/** Make report.json from the sections there are; without any there is no report. */
export async function joinSections(layout: Layout): Promise<void> {
  const path = join(layout.model, 'report.json')
  const sections = await Promise.all(
    SECTIONS.map(async (name) => [name, await readSection(layout, name)] as const),
  )
  const made = sections.filter(([, value]) => value !== undefined)
  if (made.length === 0) await rm(path, { force: true })
  else await writeJson(path, Object.fromEntries(made))
}
