import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * What a program depends on: the modules that it imports, the files that it names, the packages of both, and what those import and name. A
 * module that is imported for its types alone (`import type`) decides nothing.
 */

const PROJECT = fileURLToPath(new URL('..', import.meta.url))
/** Scripts are named without their folder. */
const PYTHON = 'python'
const TYPES_ALONE = /^(?:import|export) type [^']*? from '[^']*'/gm
const LITERALS = /'([^'\n]+)'/g
const FILE = /^\.\.?\/.+\.(?:ts|js|css)$/
const SCRIPT = /^[\w-]+\.py$/
const PYTHON_MODULES = /^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w, \t]+))/gm

/** The closure of some files. */
export interface Sources {
  /** from the project's root, sorted */
  readonly files: readonly string[]
  /** dependencies in package.json that they name, sorted */
  readonly packages: readonly string[]
}

type Named = Pick<Sources, 'files' | 'packages'>

/** Of package-lock.json (version 3). */
interface Locked {
  readonly integrity?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The sources of a project; every file is read once. */
export function openSources(root: string) {
  const text = (name: string) => readFile(join(root, name), 'utf8')
  const scripts = readdir(join(root, PYTHON)).then((names) => new Set(names))
  const dependencies = text('package.json').then((json) => Object.keys(JSON.parse(json).dependencies))
  const lock = text('package-lock.json').then((json) => JSON.parse(json).packages as Record<string, Locked>)
  const read = new Map<string, Promise<string | undefined>>()

  /** undefined: a name that is not of a file */
  function sourceOf(file: string): Promise<string | undefined> {
    const known = read.get(file) ?? text(file).catch(() => undefined)
    read.set(file, known)
    return known
  }

  async function namedIn(file: string, source: string): Promise<Named> {
    if (file.endsWith('.css')) return { files: [], packages: [] }
    const ofPython = (names: readonly string[]) => names.map((name) => join(PYTHON, name))
    const known = await scripts
    if (file.endsWith('.py')) {
      const modules = [...source.matchAll(PYTHON_MODULES)].flatMap(
        ([, from, list]) => from ?? list?.split(',') ?? [],
      )
      const names = modules.map((name) => `${name.trim().split(/\s/)[0]}.py`)
      return { files: ofPython(names.filter((name) => known.has(name))), packages: [] }
    }
    const literals = [...source.replace(TYPES_ALONE, '').matchAll(LITERALS)].map(([, name = '']) => name)
    return {
      files: [
        ...literals.filter((name) => FILE.test(name)).map((name) => join(dirname(file), name)),
        ...ofPython(literals.filter((name) => SCRIPT.test(name) && known.has(name))),
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
    const visit = async (file: string): Promise<void> => {
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
    const hash = createHash('sha256').update(JSON.stringify(installed(packages, await lock)))
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

/** The packages that are installed for some, with those below them: place and hash of each. */
function installed(names: readonly string[], packages: Readonly<Record<string, Locked>>): [string, string][] {
  const found = new Map<string, string>()
  const visit = (name: string, from: string): void => {
    const place = placeOf(name, from, packages)
    if (place === undefined || found.has(place)) return // of another platform
    const { integrity = '', dependencies, optionalDependencies } = packages[place] ?? {}
    found.set(place, integrity)
    for (const below of Object.keys({ ...dependencies, ...optionalDependencies })) visit(below, `${place}/`)
  }
  for (const name of names) visit(name, '')
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Where Node finds a package from another one: in its own folder of packages, or in one above. */
function placeOf(name: string, from: string, packages: object): string | undefined {
  const place = `${from}node_modules/${name}`
  if (place in packages) return place
  if (from === '') return undefined
  return placeOf(name, from.replace(/node_modules\/(?:@[^/]+\/)?[^/]+\/$/, ''), packages)
}
