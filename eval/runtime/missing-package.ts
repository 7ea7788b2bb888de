// SPDX-License-Identifier: Apache-2.0

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, sep } from 'node:path'
import { IS_CHECKOUT, PROJECT } from './project.ts'
import { SpeechError } from './speech-error.ts'

/*
 * Packages that an installation may lack. Those that only some commands need are optional peers, which npm leaves out. npm also leaves out
 * onnxruntime-node when its install script fails, which fetches CUDA's libraries from another server.
 */

/** Of package.json. */
interface Lists {
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  /** with the exact versions of the peers that this version was tested with */
  readonly devDependencies: Readonly<Record<string, string>>
}

/**
 * What an error says that Node threw because a package is not installed.
 * @returns the sentence and what to install; undefined for any other error
 */
export function missingPackage(error: unknown): SpeechError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined
  const [, name = ''] =
    /^Cannot find (?:package|module) '((?:@[^/']+\/)?[^./'][^/']*)/.exec(error.message) ?? []
  if (name === '') return undefined
  const peers = missingPeers()
  return notInstalled(peers.includes(name) ? peers : [name])
}

/**
 * Check that a package is installed.
 * @throws SpeechError when it is not, with what to install
 */
export function requirePackage(name: string): void {
  if (!isInstalled(name)) throw notInstalled([name])
}

/**
 * Check that the packages of evaluating, packaging and publishing are installed.
 * @throws SpeechError when some are not, with what to install
 */
export function requirePeers(): void {
  const missing = missingPeers()
  if (missing.length > 0) throw notInstalled(missing)
}

/** The page has a peer of its own, larger than all others together. It has an exact version, which its scripts were built for. */
function missingPeers(): string[] {
  const peers = IS_CHECKOUT ? [] : Object.entries(readLists().peerDependencies)
  return peers.flatMap(([name, range]) => (range.startsWith('^') && !isInstalled(name) ? [name] : []))
}

function notInstalled(names: readonly string[]): SpeechError {
  const [only = ''] = names
  return new SpeechError(
    names.length === 1
      ? `The package ${only} is not installed.`
      : `Packages that this needs are not installed: ${names.join(', ')}.`,
    hintFor(names),
  )
}

function hintFor(names: readonly string[]): string {
  if (IS_CHECKOUT) return 'Run: npm ci'
  const { optionalDependencies, devDependencies } = readLists()
  const words = names.map((name) => `${name}@${optionalDependencies[name] ?? devDependencies[name]}`)
  return `Run: npm install ${isGlobal() ? '--global ' : ''}--ignore-scripts ${words.join(' ')}`
}

function readLists(): Lists {
  const lists: Partial<Lists> = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))
  const { optionalDependencies = {}, peerDependencies = {}, devDependencies = {} } = lists
  return { optionalDependencies, peerDependencies, devDependencies }
}

/** Not every package exports its package.json, so that it is looked for where Node looks. */
function isInstalled(name: string): boolean {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  return folders.some((folder) => existsSync(join(folder, name, 'package.json')))
}

/** Whether this software is installed for all of a user's folders: npm's prefix is then "lib" or, on Windows, "npm". */
export function isGlobal(): boolean {
  return /(?:^|[\\/])(?:lib|npm)[\\/]node_modules$/.test(PROJECT.slice(0, PROJECT.lastIndexOf(sep)))
}
