// SPDX-License-Identifier: Apache-2.0

import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/*
 * Counts the changes a process makes to the file system, and does something in place of the Nth: dies as by a power
 * cut, stands still for ever (the same for the files, without a new process), or fails as on a full disk.
 * Preload it (--import) with KILL_AT=N, or call injectFault. FULL_FOR=TEXT lets files whose path holds TEXT be written to
 * a device that is always full.
 */

type Fault = { readonly kind: 'kill' | 'freeze' | 'full'; readonly at: number; readonly onFault?: () => void }

let changes = 0
let fault: Fault | undefined
/** What was stopped goes on reading for a while, so files that are opened later are closed at the next end. */
let wasInjected = false

/** @returns a function that ends the injection, and closes what stood still with open files */
export function injectFault(wanted: Fault): () => Promise<void> {
  wasInjected = true
  changes = 0
  fault = wanted
  return async () => {
    fault = undefined
    for (const file of opened) await file.close().catch(() => undefined)
    opened.clear()
  }
}

const opened = new Set<FileHandle>()

async function onChange(isWrite: boolean): Promise<void> {
  if (!fault) return
  changes++
  const { kind, at, onFault } = fault
  if (kind === 'full') {
    if (changes >= at && isWrite) {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', errno: -28 })
    }
  } else if (changes === at) {
    onFault?.()
    if (kind === 'kill') process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  } else if (changes > at) await new Promise(() => {})
}

let readOnly: string | undefined

/**
 * From now on everything whose path holds `text` is on a file system that is read-only.
 * @returns a function that ends it
 */
export function injectReadOnly(text: string): () => void {
  readOnly = text
  return () => {
    readOnly = undefined
  }
}

let hasLinks = true

/**
 * From now on there are no hard links, as on FAT, exFAT and some network shares.
 * @returns a function that ends it
 */
export function injectNoLinks(): () => void {
  hasLinks = false
  return () => {
    hasLinks = true
  }
}

function refuseLinks(name: string): void {
  if (hasLinks || name !== 'link') return
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
}

function refuseReadOnly(name: string, [path, flags = 'r']: readonly unknown[]): void {
  if (readOnly === undefined || !String(path).includes(readOnly)) return
  if (name === 'open' && !isWriting(flags)) return
  throw Object.assign(new Error(`EROFS: read-only file system, ${name} '${path}'`), { code: 'EROFS', path })
}

type Functions = Record<string, (...args: unknown[]) => Promise<unknown>>

function wrap(
  object: Functions,
  name: string,
  isWrite: boolean,
  counts = (..._args: unknown[]) => true,
): void {
  const original = object[name]
  const isOfPath = object === promises
  if (!original) throw new Error(`no function ${name}`)
  object[name] = async function (this: unknown, ...args: unknown[]) {
    if (isOfPath) {
      refuseReadOnly(name, args)
      refuseLinks(name)
    }
    if (counts(...args)) await onChange(isWrite)
    const result = await original.apply(this, args)
    if (wasInjected && name === 'open') opened.add(result as FileHandle)
    return result
  }
}

/** Flags as a word or as the system's bits. */
function isWriting(flags: unknown): boolean {
  const { O_WRONLY, O_RDWR } = fs.constants
  return typeof flags === 'number' ? (flags & (O_WRONLY | O_RDWR)) !== 0 : flags !== 'r'
}

const promises = fs.promises as unknown as Functions
const probe = await fs.promises.open(import.meta.filename, 'r')
const handle = Object.getPrototypeOf(probe) as Functions
await probe.close()
for (const name of ['rename', 'rm', 'unlink', 'chmod', 'chown']) wrap(promises, name, false)
for (const name of ['link', 'copyFile', 'writeFile', 'mkdir']) wrap(promises, name, true)
const fullFor = process.env['FULL_FOR']
const { open } = promises
if (fullFor && open) {
  promises['open'] = async (path, flags = 'r', ...mode) =>
    String(path).includes(fullFor) && isWriting(flags) ? open('/dev/full', 'w') : open(path, flags, ...mode)
}
wrap(promises, 'open', true, (_path, flags = 'r') => isWriting(flags))
for (const name of ['write', 'writeFile']) wrap(handle, name, true)
wrap(handle, 'sync', false)
wrap(promises, 'access', false, () => false)
syncBuiltinESMExports()

const killAt = Number(process.env['KILL_AT'] ?? 0)
if (killAt > 0) injectFault({ kind: 'kill', at: killAt })
