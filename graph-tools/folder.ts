import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { locationOf } from './external-data.ts'
import { type Model, openModel } from './model.ts'

/** The ONNX files directly in a folder, in the order of their names. */
export async function graphFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries
    .filter((entry) => !entry.isDirectory() && entry.name.endsWith('.onnx'))
    .map(({ name }) => name)
  return names.sort().map((name) => join(folder, name))
}

/** The data files that a model reads, relative to its folder, each once. */
export function locationsOf(model: Model): string[] {
  return [...new Set(model.tensors.filter(({ external }) => external.size > 0).map(locationOf))].sort()
}

/**
 * Which graphs of a folder, other than some, read one of `locations`.
 * @returns location to the path of the first such graph
 */
export async function otherReaders(
  folder: string,
  known: ReadonlySet<string | undefined>,
  locations: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const readers = new Map<string, string>()
  if (locations.size === 0) return readers
  for (const path of await graphFiles(folder)) {
    if (known.has(path)) continue
    for (const location of locationsOf(openModel(path))) {
      if (locations.has(location) && !readers.has(location)) readers.set(location, path)
    }
  }
  return readers
}
