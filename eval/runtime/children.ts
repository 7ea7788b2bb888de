// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

/* Child processes that do not outlive this one. */

/**
 * A shell that outlives this process. Its input is a pipe that ends with us, in whatever way we end: kill -9 included. It
 * then kills what children are left, waits until they are gone, and ends. Lines: "+ TARGET", "- TARGET" (a process, or -N
 * for a group), "! PID" (kill all children, and half a second later that process).
 */
const GUARD = `
trap '' HUP INT QUIT TERM
targets=' '
end() { for child in $targets; do kill -s KILL -- "$child"; done; }
lives() {
  kill -s 0 -- "$1" || return 1
  read -r stat < /proc/self/stat || return 0
  case $1 in -*) files='/proc/[0-9]*/stat';; *) files="/proc/$1/stat";; esac
  for file in $files; do
    read -r stat < "$file" || continue
    set -- "$1" \${stat##*) }
    case $1 in -"$4" | [0-9]*) [ "$2" = Z ] || return 0;; esac
  done
  return 1
}
while read -r what target; do
  case $what in
    +) targets="$targets$target ";;
    -) case $targets in *" $target "*) targets="\${targets%% $target *} \${targets#* $target }";; esac;;
    !) end; sleep 0.5 || sleep 1; kill -s KILL -- "$target";;
  esac
done
end
for target in $targets; do
  for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    lives "$target" || break
    sleep 0.1 || sleep 1
  done
done`

interface Guard {
  readonly pid: number
  readonly input: Writable
}

let guard: Guard | undefined

/** The process that ends our children when we are gone; undefined where there is no POSIX shell. */
export function guardPid(): number | undefined {
  return startGuard()?.pid
}

/** What {@link endWithUs} needs of a child process. */
interface Child {
  readonly pid?: number | undefined
  once(event: 'exit', listener: () => void): unknown
}

/**
 * Let a child process end when this one does, however it ends and whatever the child is busy with.
 * @param options.isGroup the child was started detached: its process group ends with it, and all who are in it
 */
export function endWithUs(child: Child, { isGroup = false } = {}): void {
  const { pid } = child
  if (pid === undefined) return // it could not be started
  const target = isGroup ? -pid : pid
  startGuard()?.input.write(`+ ${target}\n`)
  child.once('exit', () => {
    if (isGroup) killGroup(target)
    guard?.input.write(`- ${target}\n`)
  })
}

/** End all children now, and this process within a second, also when it hangs in its own exit. */
export function endSoon(): void {
  guard?.input.write(`! ${process.pid}\n`)
}

/** Whether a command should start children in a group of their own: Windows opens a window for those. */
export const HAS_GROUPS = process.platform !== 'win32'

function startGuard(): Guard | undefined {
  if (guard !== undefined || !HAS_GROUPS) return guard
  // Of its own session, so that no signal to ours reaches it.
  const shell = spawn('/bin/sh', ['-c', GUARD], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] },
  })
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  // A pipe of a child process is a socket, which keeps the event loop running.
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref()
  if (shell.pid !== undefined) guard = { pid: shell.pid, input: shell.stdin }
  return guard
}

function killGroup(target: number): void {
  try {
    process.kill(target, 'SIGKILL')
  } catch {
    // nobody is left in it
  }
}
