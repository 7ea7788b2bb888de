// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { type CommandLine, parseOptions, usage } from '../pipeline/commands/arguments.ts'
import { type Output, type RunCommand, runnable } from '../pipeline/commands/run-command.ts'
import type { Failure } from '../pipeline/shared/failure.ts'

/* Scripts that run another command. */

/**
 * A script that runs another command: what stands before its first word are options of its own.
 * @param check throws a Failure for words that it cannot run
 */
export function wrapping(
  line: CommandLine,
  check: (words: readonly string[]) => void,
  run: (words: readonly string[], output: Output) => Promise<number>,
): RunCommand {
  return (args, host) => {
    const at = args.findIndex((arg) => !arg.startsWith('-'))
    const [own, words] = at < 0 ? [args, []] : [args.slice(0, at), args.slice(at)]
    return runnable({
      async parse() {
        const options = await parseOptions(line, own, {}, (common) => common)
        if (options) check(words)
        return options
      },
      stdout: 'results',
      isStoppable: () => false,
      run: (_, output) => run(words, output),
    })(own, host)
  }
}

/** Start a command that a script is given, on the same terminal. */
export function startCommand([command = '', ...args]: readonly string[], env = process.env): ChildProcess {
  return spawn(command, args, { stdio: 'inherit', env })
}

/**
 * Its exit code, as a shell gives it.
 * @param hint how the script is used
 * @throws Failure when it cannot be started
 */
export async function endOf(child: ChildProcess, command: string, hint: string): Promise<number> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + (signal ? constants.signals[signal] : 0)
  } catch (error) {
    throw refusal(error as NodeJS.ErrnoException, command, hint)
  }
}

function refusal({ code }: NodeJS.ErrnoException, command: string, hint: string): Failure {
  const name = JSON.stringify(command)
  return usage(
    code === 'ENOENT' ? `There is no program ${name} on PATH.` : `${name} cannot be started (${code}).`,
    hint,
  )
}
