// SPDX-License-Identifier: Apache-2.0

import { missingPackage } from '../../eval/runtime/missing-package.ts'

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, gate: 3, interrupted: 130 } as const

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure the user can act on: what failed with found against wanted, and the next thing to try. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly hint: string
  readonly exitCode: ExitCode

  constructor(message: string, hint = '', exitCode: ExitCode = EXIT.failed) {
    super(message)
    this.hint = hint
    this.exitCode = exitCode
  }
}

/** Makes failures of sentences, with the same advice. */
export function failing(hint: string): (message: string) => Failure {
  return (message) => new Failure(message, hint)
}

/** What a thrown thing means for the user: errors of the libraries carry a `hint`, system errors a `code`. */
export function describeError(error: unknown): { message: string; hint: string; exitCode: ExitCode } {
  if (error instanceof Failure) return error
  // Node's functions that take a signal throw an error of their own when it is aborted.
  if (error instanceof Error && error.name === 'AbortError' && error.cause instanceof Failure)
    return error.cause
  const failed = (message: string, hint: string) => ({ message, hint, exitCode: EXIT.failed })
  const missing = missingPackage(error)
  if (missing !== undefined) return failed(missing.message, missing.hint)
  if (!(error instanceof Error)) return failed(String(error), '')
  const { code, path } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const place = path ? ` (writing ${path})` : ''
    return failed(`The disk is full${place}.`, 'Free space, then run the same command again.')
  }
  if (code === 'EROFS') {
    const what = path ?? 'A file'
    return failed(`${what} is on a file system that is read-only.`, 'Name a folder that can be written.')
  }
  if (code === 'EACCES' || code === 'EPERM')
    return failed(`No permission for ${path ?? 'a file'}.`, 'Check its owner and mode.')
  if (!('hint' in error)) return failed(error.message, 'Run again with --debug for the stack.')
  return failed(error.message, typeof error.hint === 'string' ? error.hint : '')
}

/** For the end of a `switch`: a case that is missing does not compile. @throws Error always */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
