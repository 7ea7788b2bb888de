// SPDX-License-Identifier: Apache-2.0

import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { SpeechError } from './speech-error.ts'

/* Paths that must be regular files. */

/**
 * Why a path cannot be read as a file; undefined when it can. Nothing is opened: a pipe would wait for a writer.
 * @returns a sentence that begins with the path
 */
export async function fileProblem(path: string): Promise<string | undefined> {
  try {
    const info = await stat(path)
    const kind = irregularKind(info)
    return kind && `${path} is ${kind}, not a file.`
  } catch (error) {
    return describeFileError(path, error)
  }
}

/**
 * Check that a path is of a regular file.
 * @throws SpeechError when nothing is there, or something else
 */
export async function requireFile(path: string): Promise<void> {
  const problem = await fileProblem(path)
  if (problem !== undefined) throw new SpeechError(problem)
}

/** A sentence for what the file system says of a path. */
export function describeFileError(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return `${path} does not exist.`
  if (code === 'ERR_INVALID_ARG_VALUE') return `${JSON.stringify(path)} is not the name of a file.`
  if (code === 'EACCES' || code === 'EPERM') return `${path} may not be read (${code}).`
  if (code === 'ELOOP') return `${path} is a link that leads to itself.`
  return `${path} cannot be read (${code ?? message}).`
}

/** What stands in place of a regular file; undefined for one that is regular. */
export function irregularKind(info: Stats): string | undefined {
  if (info.isFile()) return undefined
  if (info.isDirectory()) return 'a directory'
  if (info.isFIFO()) return 'a FIFO'
  return info.isSocket() ? 'a socket' : 'a device'
}
