// SPDX-License-Identifier: Apache-2.0

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { usage } from '../pipeline/commands/arguments.ts'

/* Other engines of `npm run bench -- peers`. */

/** Engines whose wheels are measured. A model of one is a file or a folder. */
export const ENGINES = [
  {
    name: 'transcribe-cpp',
    packages: ['transcribe-cpp', 'transcribe-cpp-native'],
    format: 'Q4_K_M',
    model: 'transcribe-cpp.gguf',
  },
  { name: 'crispasr', packages: ['crispasr'], format: 'Q4_K', model: 'crispasr.gguf' },
  {
    name: 'sherpa-onnx',
    packages: ['sherpa-onnx', 'sherpa-onnx-core'],
    format: 'int8',
    model: 'sherpa-onnx',
  },
] as const

/** A row of {@link ENGINES}. */
export type Engine = (typeof ENGINES)[number]
/** Name of an engine, as `--peer NAME:FILE` takes it. */
export type EngineName = Engine['name']

/**
 * Models that are handed in.
 * @param given NAME:FILE
 * @throws Failure of usage for another form, an engine that is not known, and a file that is not there
 */
export async function handedIn(given: readonly string[]): Promise<ReadonlyMap<EngineName, string>> {
  const found = new Map<EngineName, string>()
  for (const one of given) {
    const [name = '', ...rest] = one.split(':')
    const path = rest.join(':')
    const engine = ENGINES.find((known) => known.name === name)
    if (!engine || path === '')
      throw usage(
        `--peer ${one} is not of the form NAME:FILE.`,
        `NAME is one of: ${ENGINES.map((known) => known.name).join(', ')}.`,
      )
    if (!(await stat(path).catch(() => undefined)))
      throw usage(`--peer ${one}: there is no file or folder ${path}.`, 'Give the path of a model.')
    found.set(engine.name, path)
  }
  return found
}

/** Of a file, or of all files of a folder. */
export async function bytesOf(path: string): Promise<number> {
  const info = await stat(path)
  if (!info.isDirectory()) return info.size
  const names = await readdir(path, { recursive: true })
  const infos = await Promise.all(names.map((name) => stat(join(path, name))))
  return infos.reduce((sum, one) => sum + (one.isFile() ? one.size : 0), 0)
}
