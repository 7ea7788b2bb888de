// SPDX-License-Identifier: Apache-2.0

import { mountFolder } from '../runtime/platform/random-access.web.ts'
import { openRelease } from '../runtime/release.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import type { ReleaseAddress } from './release-address.ts'
import { MANIFEST, readManifest, type WantedRelease } from './release-manifest.ts'

/** A release that was found, with what it takes to load a variant of it. */
export interface FoundRelease extends WantedRelease {
  /** where its files are: on the network, or in a folder of this machine */
  readonly from: { readonly base: string } | { readonly files: ReadonlyMap<string, File> }
  /** files are described by a manifest, so that they can be checked */
  readonly isDescribed: boolean
}

/** Where manifest.json is: beside the files, or in the folder of a packaged release. */
const PLACES = [MANIFEST, `release/${MANIFEST}`]
const MOST_BYTES = 16_000_000
/** A name for the runtime to read a folder by, before anything is loaded of it. */
const LOOKED_AT = 'folder'

/**
 * Read the manifest of a release on the network.
 * @throws SpeechError when there is none, or the server refuses
 */
export async function findOnNetwork(
  { name, base }: ReleaseAddress,
  signal: AbortSignal,
): Promise<FoundRelease> {
  for (const place of PLACES) {
    const response = await get(`${base}${place}`, signal)
    if (response.status === 404) continue
    if (!response.ok) throw refused(name, response.status)
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (bytes.length > MOST_BYTES)
      throw new SpeechError(`${place} has ${bytes.length} bytes, wanted at most ${MOST_BYTES}.`)
    return { ...readManifest(bytes, `${name}: ${place}`), name, from: { base }, isDescribed: true }
  }
  throw new SpeechError(
    `${name} has no ${MANIFEST}, which lists the files and their hashes.`,
    'npm run package makes one. A folder on this machine is read without it.',
  )
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-cache' })
  } catch (error) {
    if (signal.aborted) throw error
    throw new SpeechError(
      `${new URL(url).host} cannot be reached, or does not let other pages read its files.`,
      'Check the address and the network. Your own server must send Access-Control-Allow-Origin.',
    )
  }
}

function refused(name: string, status: number): SpeechError {
  const isClosed = status === 401 || status === 403
  return new SpeechError(
    `The server answered ${status} for ${name}.`,
    isClosed
      ? 'It is private, gated or not there. This page sends no tokens: download it and open its folder.'
      : 'Try again later.',
  )
}

/**
 * Look at a folder that was picked.
 * @param files with their paths in it
 * @throws SpeechError when it holds no release, or several
 */
export async function findInFolder(files: readonly FolderFile[]): Promise<FoundRelease> {
  const [top, ...others] = releaseFolders(files)
  if (top === undefined) throw new SpeechError(...noRelease(files))
  if (others.length > 0)
    throw new SpeechError(
      `The folder holds ${others.length + 1} releases: ${[top, ...others].join(', ')}.`,
      'Open one of them.',
    )
  const inside = new Map(
    files.flatMap(({ path, file }) => (path.startsWith(top) ? [[path.slice(top.length), file]] : [])),
  )
  const name = top.split('/').at(-2) || 'the folder'
  const manifest = PLACES.map((place) => inside.get(place)).find((file) => file !== undefined)
  const from = { files: new Map([...inside].filter(([path]) => !path.includes('/'))) }
  if (manifest === undefined) return { ...(await undescribed(name, from.files)), from, isDescribed: false }
  const bytes = new Uint8Array(await manifest.arrayBuffer())
  return { ...readManifest(bytes, `${name}/${MANIFEST}`), name, from, isDescribed: true }
}

/** A file of a folder that the user has picked. */
export interface FolderFile {
  /** from the folder that was picked on, with slashes */
  readonly path: string
  readonly file: File
}

/** Folders that hold an encoder, as paths that end with a slash. */
function releaseFolders(files: readonly FolderFile[]): string[] {
  const found = files.flatMap(({ path }) => /^(.*\/|)encoder(?:\.[\w-]+)?\.onnx$/.exec(path)?.[1] ?? [])
  return [...new Set(found)].sort()
}

function noRelease(files: readonly FolderFile[]): [string, string] {
  return [
    `The folder holds no release: none of its ${files.length} files is encoder.onnx.`,
    'Open the folder of a release, which holds encoder.onnx, the decoder and config.json.',
  ]
}

/** The variants by the names of files; which are needed is up to the runtime, which gets them all. */
async function undescribed(name: string, files: ReadonlyMap<string, File>): Promise<WantedRelease> {
  mountFolder(LOOKED_AT, files)
  const { variants } = await openRelease(LOOKED_AT, 'asr')
  const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0)
  return { name, variants: variants.map((variant) => ({ name: variant.name, files: [], bytes })) }
}
