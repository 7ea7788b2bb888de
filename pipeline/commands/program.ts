// SPDX-License-Identifier: Apache-2.0

import { EXIT } from '../shared/failure.ts'
import { nearest } from '../shared/nearest.ts'
import { calledProgram } from '../shared/own-commands.ts'
import { failureLines, say } from '../shared/terminal.ts'
import { versionOf } from './arguments.ts'
import { COMMANDS } from './commands.ts'
import type { RunCommand } from './run-command.ts'

const HELP = ['', 'help', '-h', '--help']
const VERSION = ['-v', '--version', 'version']

/**
 * What the first word of the program's command line runs: one of the commands, the list of all, or the version.
 * @param word as typed; empty: there is none
 */
export function program(word: string): RunCommand {
  const command = COMMANDS[word]
  if (command !== undefined) return async (args, host) => (await command.load()).run(args, host)
  if (VERSION.includes(word)) return printing([versionOf()])
  if (HELP.includes(word)) return printing(helpLines())
  return async () => {
    const near = nearest(word, Object.keys(COMMANDS))
    const message = `There is no command ${word}${near === undefined ? '' : `; did you mean ${near}?`}`
    say(failureLines({ message, hint: `${calledProgram()} --help lists the commands.` }), process.stderr)
    return EXIT.usage
  }
}

function printing(lines: readonly string[]): RunCommand {
  return async () => {
    say(lines)
    return EXIT.done
  }
}

function helpLines(): string[] {
  const widest = Math.max(...Object.keys(COMMANDS).map(({ length }) => length))
  return [
    `${calledProgram()} COMMAND [options]`,
    '',
    'Make ONNX releases of Qwen3-ASR, prove what they are worth, and use them.',
    '',
    ...Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(widest)}  ${about}`),
    '',
    `${calledProgram()} COMMAND --help lists the options of one. Documentation: README.md beside package.json.`,
  ]
}
