// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { readChecked } from './checked-json.ts'
import { dictionary, type Parsed, shape, text } from './runtime/schema.ts'

/*
 * Which packages are installed below some: as package-lock.json says in a checkout, and as the folders say where this software is itself
 * installed, since there the lock is somebody else's.
 */

/** One that is installed. */
interface Installed {
  readonly place: string
  /** changes with its content */
  readonly identity: string
  /** packages that it may load */
  readonly below: readonly string[]
}

/** Finds a package from the place of another one; '' is the project. undefined: it is not installed. */
type Find = (name: string, from: string) => Promise<Installed | undefined>

const versions = v.exactOptional(dictionary(text))
/** package-lock.json (version 3). */
const LOCK = shape({
  packages: dictionary(
    shape({ integrity: v.exactOptional(text), dependencies: versions, optionalDependencies: versions }),
  ),
})
const MANIFEST = shape({ version: text, dependencies: versions, optionalDependencies: versions })

const HINT = 'Install this software again.'

/**
 * The packages that are installed for some, with those below them.
 * @returns place and identity of each, sorted
 * @throws SpeechError when a package's own description is damaged
 */
export async function installedFor(names: readonly string[], find: Find): Promise<[string, string][]> {
  const found = new Map<string, string>()
  const visit = async (name: string, from: string): Promise<void> => {
    const one = await find(name, from)
    if (one === undefined || found.has(one.place)) return // of another platform, or left out
    found.set(one.place, one.identity)
    for (const below of one.below) await visit(below, one.place)
  }
  for (const name of names) await visit(name, '')
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

/**
 * What finds the packages of a project.
 * @throws SpeechError when its lock is damaged
 */
export async function openPackages(root: string): Promise<Find> {
  const path = join(root, 'package-lock.json')
  const lock = await readChecked(LOCK, path, 'Get the project again, then run: npm ci')
  return lock === undefined ? inFolders(root) : inLock(lock.packages)
}

function inLock(packages: Parsed<typeof LOCK>['packages']): Find {
  return async (name, from) => {
    const place = placeOf(name, from === '' ? '' : `${from}/`, packages)
    if (place === undefined) return undefined
    const { integrity = '', dependencies, optionalDependencies } = packages[place] ?? {}
    return { place, identity: integrity, below: Object.keys({ ...dependencies, ...optionalDependencies }) }
  }
}

/** Where Node finds a package from another one: in its own folder of packages, or in one above. */
function placeOf(name: string, from: string, packages: object): string | undefined {
  const place = `${from}node_modules/${name}`
  if (place in packages) return place
  if (from === '') return undefined
  return placeOf(name, from.replace(/node_modules\/(?:@[^/]+\/)?[^/]+\/$/, ''), packages)
}

/** A registry's version never changes. Places are names, so that no path of a machine is part of an identity. */
function inFolders(root: string): Find {
  const folders = new Map<string, string>() // by place
  return async (name, from) => {
    const folder = folderOf(name, await realpath(from === '' ? root : (folders.get(from) ?? root)))
    if (folder === undefined) return undefined
    const path = join(folder, 'package.json')
    const { version, dependencies, optionalDependencies } = (await readChecked(MANIFEST, path, HINT)) ?? {}
    const place = `${name}@${version}`
    folders.set(place, folder)
    return { place, identity: '', below: Object.keys({ ...dependencies, ...optionalDependencies }) }
  }
}

function folderOf(name: string, from: string): string | undefined {
  const folder = join(from, 'node_modules', name)
  if (existsSync(join(folder, 'package.json'))) return folder
  return dirname(from) === from ? undefined : folderOf(name, dirname(from))
}
