// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, normalize } from 'node:path'
import type * as v from 'valibot'
import { readChecked } from './checked-json.ts'
import { installedFor, openPackages } from './installed-packages.ts'
import { PROJECT } from './runtime/project.ts'
import { dictionary, type Parsed, shape, text } from './runtime/schema.ts'
import { SpeechError } from './runtime/speech-error.ts'

/*
 * What a program depends on: the modules that it imports, the files that it names, the packages of both, and what those import and name. A
 * module that is imported for its types alone (`import type`) decides nothing.
 */

/** Scripts are named from here on; modules are imported by their names alone, which none has twice. */
const PYTHON = 'python'
const TYPES_ALONE = /^(?:import|export) type [^']*? from '[^']*'/gm
const LITERALS = /'([^'\n]+)'/g
const FILE = /^\.\.?\/.+\.(?:ts|js|css)$/
const SCRIPT = /^(?:[\w-]+\/)?[\w-]+\.py$/
const PYTHON_MODULES = /^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w, \t]+))/gm

/** The closure of some files. */
export interface Sources {
  /** from the project's root, sorted */
  readonly files: readonly string[]
  /** dependencies in package.json that they name, sorted */
  readonly packages: readonly string[]
}

type Named = Pick<Sources, 'files' | 'packages'>

const versions = dictionary(text)
/** Peers are installed for development. */
const PACKAGE = shape({ dependencies: versions, devDependencies: versions, optionalDependencies: versions })

/** The sources of a project; every file is read once. */
export function openSources(root: string) {
  const scripts = readdir(join(root, PYTHON), { recursive: true }).then(
    (names) => new Map(names.map((name) => [basename(name), name])),
  )
  const dependencies = readAll(PACKAGE, join(root, 'package.json')).then((json) =>
    Object.keys({ ...json.devDependencies, ...json.optionalDependencies, ...json.dependencies }),
  )
  const find = openPackages(root)
  for (const read of [dependencies, find]) read.catch(() => undefined) // reported when it is awaited
  const read = new Map<string, Promise<string | undefined>>()

  /** undefined: a name that is not of a file */
  function sourceOf(file: string): Promise<string | undefined> {
    const known = read.get(file) ?? readSource(file)
    read.set(file, known)
    return known
  }

  /** A built package has the JavaScript of a module in dist/. */
  async function readSource(file: string): Promise<string | undefined> {
    const built = join('dist', file.replace(/\.ts$/, '.js'))
    const texts = [file, built].map((name) => readFile(join(root, name), 'utf8').catch(() => undefined))
    const [source, compiled] = await Promise.all(texts)
    return source ?? compiled
  }

  async function namedIn(file: string, source: string): Promise<Named> {
    if (file.endsWith('.css')) return { files: [], packages: [] }
    const known = await scripts
    const ofPython = (names: readonly string[]) =>
      names.flatMap((name) => known.get(basename(name)) ?? []).map((name) => join(PYTHON, name))
    if (file.endsWith('.py')) {
      const modules = [...source.matchAll(PYTHON_MODULES)].flatMap(
        ([, from, list]) => from ?? list?.split(',') ?? [],
      )
      const names = modules.map((name) => `${name.trim().split(/\s/)[0]}.py`)
      return { files: ofPython(names), packages: [] }
    }
    const literals = [...source.replace(TYPES_ALONE, '').matchAll(LITERALS)].map(([, name = '']) => name)
    return {
      files: [
        ...literals.filter((name) => FILE.test(name)).map((name) => join(dirname(file), name)),
        ...ofPython(literals.filter((name) => SCRIPT.test(name))),
      ],
      packages: (await dependencies).filter((name) =>
        literals.some((literal) => literal === name || literal.startsWith(`${name}/`)),
      ),
    }
  }

  /**
   * Every file of the project that runs or is read when one of `entries` does.
   * @param entries from the project's root: modules of TypeScript or JavaScript, scripts of Python
   */
  async function of(entries: readonly string[]): Promise<Sources> {
    const files = new Set<string>()
    const packages = new Set<string>()
    const visit = async (path: string): Promise<void> => {
      const file = normalize(path) // Windows has another separator
      if (files.has(file)) return
      files.add(file)
      const source = await sourceOf(file)
      if (source === undefined) return void files.delete(file)
      const named = await namedIn(file, source)
      for (const name of named.packages) packages.add(name)
      await Promise.all(named.files.map(visit))
    }
    await Promise.all(entries.map(visit))
    return { files: [...files].sort(), packages: [...packages].sort() }
  }

  /**
   * What identifies a program: the content of all its files, and the exact packages below them.
   * @returns 64 hexadecimal digits
   */
  async function identify(entries: readonly string[]): Promise<string> {
    const { files, packages } = await of(entries)
    const hash = createHash('sha256').update(JSON.stringify(await installedFor(packages, await find)))
    for (const file of files) hash.update(`\n${file}\n`).update((await sourceOf(file)) ?? '')
    return hash.digest('hex')
  }

  return { of, identify }
}

let own: ReturnType<typeof openSources> | undefined

/** What identifies a program of this project; see {@link openSources}. */
export function identifySources(entries: readonly string[]): Promise<string> {
  own ??= openSources(PROJECT)
  return own.identify(entries)
}

/** @throws SpeechError when it is missing or not right: what a program depends on is not known then */
async function readAll<Schema extends v.GenericSchema>(
  schema: Schema,
  path: string,
): Promise<Parsed<Schema>> {
  const hint = 'Get the project again, then run: npm ci'
  const value = await readChecked(schema, path, hint)
  if (value !== undefined) return value
  throw new SpeechError(`${path} is missing.`, hint)
}
