// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import { keptBytes, keptFile, removeFile } from './kept-files.ts'
import { bytesText } from './quantities.ts'
import { distinct, type WantedFile, type WantedVariant } from './release-manifest.ts'

/* Releases whose files the browser keeps. */

/** A variant of a release that was asked for from the network: what is there of it is in the browser's storage. */
export interface KeptRelease {
  /** as people name it */
  readonly name: string
  /** of the folder that its files come from */
  readonly base: string
  readonly variant: WantedVariant
}

const KEY = 'releases'

/** All that were asked for and not deleted, the last one first. */
export function keptReleases(): KeptRelease[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]')
  } catch {
    return [] // our own, and can be fetched again
  }
}

/** Put it first in the list. */
export function noteRelease(release: KeptRelease): void {
  save([release, ...keptReleases().filter((other) => !isSame(other, release))])
}

/** Take it off the list, and delete its files that no other one on it has. */
export async function deleteRelease(release: KeptRelease): Promise<void> {
  const others = keptReleases().filter((other) => !isSame(other, release))
  const used = new Set(others.flatMap(({ variant }) => variant.files).map(({ sha256 }) => sha256))
  save(others)
  for (const file of release.variant.files) if (!used.has(file.sha256)) await removeFile(file)
}

/** Bytes of it that are there. */
export async function presentBytes({ variant }: Pick<KeptRelease, 'variant'>): Promise<number> {
  const sizes = await Promise.all(distinct(variant.files).map(keptBytes))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Its files by name, all of them checked; undefined when one is missing. */
export async function keptFolder(files: readonly WantedFile[]): Promise<Map<string, File> | undefined> {
  const found = await Promise.all(files.map(async (file) => [file.path, await keptFile(file)] as const))
  const there = found.flatMap(([path, file]) => (file ? [[path, file] as const] : []))
  return there.length === files.length ? new Map(there) : undefined
}

/**
 * Refuse a download that the browser has no room for.
 * @throws SpeechError with the room that there is
 */
export async function requireRoom(release: KeptRelease): Promise<void> {
  const missing = release.variant.bytes - (await presentBytes(release))
  const { quota = Number.POSITIVE_INFINITY, usage = 0 } = await navigator.storage.estimate()
  if (missing <= quota - usage) return
  throw noRoom(Math.max(0, quota - usage), missing)
}

/**
 * The error of a download that is larger than the room in the browser's storage.
 * @param free bytes
 * @param wanted bytes
 */
export function noRoom(free: number, wanted: number): SpeechError {
  return new SpeechError(
    `The browser's storage has room for ${bytesText(free)}, wanted ${bytesText(wanted)}.`,
    'Delete a release that is kept, or make room on the disk. A local folder is read where it is, and takes no room.',
  )
}

function isSame(one: KeptRelease, other: KeptRelease): boolean {
  return one.base === other.base && one.variant.name === other.variant.name
}

function save(releases: readonly KeptRelease[]): void {
  localStorage.setItem(KEY, JSON.stringify(releases))
}
