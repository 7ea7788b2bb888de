/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, gate: 3, interrupted: 130 } as const

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
  if (!(error instanceof Error)) return { message: String(error), hint: '', exitCode: EXIT.failed }
  const { code, path } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = `The disk is full${path ? ` (writing ${path})` : ''}.`
    return {
      message,
      hint: 'Free space, then run the same command again.',
      exitCode: EXIT.failed,
    }
  }
  if (code === 'EROFS') {
    return {
      message: `${path ?? 'A file'} is on a file system that is read-only.`,
      hint: 'Name a folder that can be written.',
      exitCode: EXIT.failed,
    }
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return {
      message: `No permission for ${path ?? 'a file'}.`,
      hint: 'Check its owner and mode.',
      exitCode: EXIT.failed,
    }
  }
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : ''
  const known = 'hint' in error
  return {
    message: error.message,
    hint: known ? hint : 'Run again with --debug for the stack.',
    exitCode: EXIT.failed,
  }
}

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
