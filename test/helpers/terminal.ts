// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import xterm from '@xterm/headless'
import { execa } from 'execa'
import { PROJECT } from '../../eval/runtime/project.ts'
import { builtCommand } from './commands.ts'
import { stagePython } from './prepared.ts'

export interface TerminalRun {
  /** what the terminal showed at the end, scrolled-off lines first, without trailing blank lines */
  readonly screen: readonly string[]
  readonly exitCode: number | undefined
}

interface Watch {
  readonly columns?: number
  /** called with the visible lines after each piece of output */
  readonly onScreen?: (lines: readonly string[], press: (keys: string) => void) => void
}

const ROWS = 40
const SCROLLBACK = 1000

/** Run the command line on a real pseudo-terminal, and show what a terminal emulator makes of its output. */
export async function runInTerminal(args: readonly string[], watch: Watch = {}): Promise<TerminalRun> {
  const { columns = 100, onScreen } = watch
  const command = [process.execPath, ...builtCommand('pipeline')]
  const child = execa(
    await stagePython(),
    [join(PROJECT, 'test', 'helpers', 'terminal.py'), String(columns), String(ROWS), ...command, ...args],
    {
      cwd: PROJECT,
      env: { ...process.env, CI: undefined, TERM: 'xterm-256color' },
      extendEnv: false,
      encoding: 'buffer',
      buffer: false,
      reject: false,
    },
  )
  const terminal = new xterm.Terminal({
    cols: columns,
    rows: ROWS,
    scrollback: SCROLLBACK,
    allowProposedApi: true,
  })
  const press = (keys: string) => child.stdin.write(keys)
  for await (const bytes of child.iterable({ from: 'stdout', binary: true })) {
    await new Promise<void>((resolve) => terminal.write(bytes, resolve))
    onScreen?.(linesOf(terminal), press)
  }
  const { exitCode } = await child
  return { screen: linesOf(terminal), exitCode }
}

function linesOf(terminal: xterm.Terminal): string[] {
  const { active } = terminal.buffer
  const lines = Array.from(
    { length: active.length },
    (_, i) => active.getLine(i)?.translateToString(true) ?? '',
  )
  while (lines.at(-1) === '') lines.pop()
  return lines
}
