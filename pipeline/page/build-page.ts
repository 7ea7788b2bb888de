// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { chmod, copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { checkedUrl, releaseAddress } from '../../eval/page/release-address.ts'
import { IS_CHECKOUT, PROJECT } from '../../eval/runtime/project.ts'
import { recoverFolder, replaceFolder } from '../release/replace-folder.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { requireWritable } from '../shared/writable.ts'
import { pageHtml, pageStyle } from './page-files.ts'
import { EDITIONS, RUNTIME_FILES } from './page-scripts.ts'

const SERVICE_WORKER = 'service-worker.js'
/** By this file a folder is known as a page. */
const LIST = 'page.json'

/** What a page is built for. */
export interface PageChoices {
  /** address of the hub, without a slash at its end */
  readonly hub: string
  /** what the page requests when its own address does not say */
  readonly release?: string
}

/** A file of a page. */
export interface PageFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/** The files of a page that has been built; sizes in bytes. */
export interface BuiltPage {
  /** changes with any file */
  readonly version: string
  readonly files: readonly PageFile[]
}

/**
 * Build the page. A page that is there stays until the new one is complete.
 * @throws Failure for a folder that holds something else, or cannot be written; SpeechError for addresses that the page refuses
 */
export async function buildPage(folder: string, choices: PageChoices): Promise<BuiltPage> {
  checkedUrl(choices.hub)
  if (choices.release !== undefined) releaseAddress(choices.release, choices.hub)
  const place = resolve(folder)
  await recoverFolder(place)
  await refuseOther(place, folder)
  await requireWritable(dirname(place), 'The folder of the page', 'Name another folder.')
  const fresh = await mkdtemp(join(dirname(place), `.${basename(place)}-`))
  try {
    const built = await fill(fresh, choices)
    await chmod(fresh, 0o755) // a host may run as another user
    await replaceFolder(fresh, place)
    return built
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    throw error
  }
}

async function fill(folder: string, choices: PageChoices): Promise<BuiltPage> {
  await putScripts(folder)
  await copyRuntime(folder)
  await writeFile(join(folder, 'index.html'), await pageHtml(choices))
  await writeFile(join(folder, 'page.css'), await pageStyle())
  const names = (await readdir(folder)).filter((name) => name !== SERVICE_WORKER).sort()
  const files = await Promise.all(names.map((name) => described(folder, name)))
  const version = hashOf(JSON.stringify(files)).slice(0, 16)
  await prepend(join(folder, SERVICE_WORKER), `self.PAGE=${JSON.stringify({ version, files })};`)
  const all = [...files, await described(folder, SERVICE_WORKER)]
  await writeFile(join(folder, LIST), `${JSON.stringify({ version, files: all }, undefined, 2)}\n`)
  return { version, files: all }
}

/** @throws Failure when there is anything but a page, or an empty folder */
async function refuseOther(place: string, shown: string): Promise<void> {
  const names = await readdir(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[]
    if (error.code === 'ENOTDIR') throw new Failure(`${shown} is a file, wanted a folder.`, '', EXIT.usage)
    throw error
  })
  if (names.length === 0 || names.includes(LIST)) return
  throw new Failure(
    `${shown} holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', ...' : ''} and no page, which would be lost.`,
    'Name a folder that is empty, not there yet, or holds a page.',
    EXIT.usage,
  )
}

/** Bundled in a checkout; a built package has them. */
async function putScripts(folder: string): Promise<void> {
  if (!IS_CHECKOUT) return cp(join(PROJECT, 'dist', 'page'), folder, { recursive: true })
  const { bundleScripts } = await import('./bundle.ts')
  return bundleScripts(folder)
}

async function copyRuntime(folder: string): Promise<void> {
  const dist = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
  const names = new Set(EDITIONS.flatMap((edition) => RUNTIME_FILES[edition]))
  for (const name of names) await copyFile(join(dist, name), join(folder, name))
}

async function prepend(path: string, line: string): Promise<void> {
  await writeFile(path, `${line}\n${await readFile(path, 'utf8')}`)
}

async function described(folder: string, path: string): Promise<PageFile> {
  const bytes = await readFile(join(folder, path))
  return { path, size: bytes.length, sha256: hashOf(bytes) }
}

function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
