// SPDX-License-Identifier: Apache-2.0

import { copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { renameOver } from '../../graph-tools/rename-over.ts'

/** Whether something is at a path; false too where that cannot be found out. */
export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** An empty directory. */
export async function freshFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await mkdir(path, { recursive: true })
}

/** Copy a file beside its place and rename it there, so that other names of the old file keep their content. */
export async function copyWhole(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.partial`)
  await renameOver(`${to}.partial`, to)
}

/** Write a small text file beside its place and rename it there. */
export async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.partial`, text)
  await renameOver(`${path}.partial`, path)
}

/** Write a value as indented JSON, beside its place and renamed. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeText(path, `${JSON.stringify(value, undefined, 2)}\n`)
}

/** Beside its place, then renamed: what has the name is complete. @param values little-endian, as this machine is */
export async function writeFloats(path: string, values: Float32Array): Promise<void> {
  await writeFile(`${path}.partial`, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  await renameOver(`${path}.partial`, path)
}

/** Decimal units, as download pages use them: 1.43 GB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`
}

/** 7.2 s, 3 min 05 s */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}
