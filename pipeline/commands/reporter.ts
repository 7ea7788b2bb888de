// SPDX-License-Identifier: Apache-2.0

import logUpdate from 'log-update'
import type { Emit, Event, StepName } from '../shared/events.ts'
import { unreachable } from '../shared/failure.ts'
import type { NextStep } from '../shared/next-steps.ts'
import { formatBytes, formatSeconds } from '../shared/output-files.ts'
import { printable } from '../shared/printable.ts'
import { mapTexts } from '../shared/redact.ts'
import { failureLines, jsonLine, say } from '../shared/terminal.ts'
import { tableLines } from '../shared/text-table.ts'
import { columnsOf, cutLine, wrapLines, wrapWords } from '../shared/text-width.ts'

/** Plain logs say how far a long step is at most this often. */
const PLAIN_INTERVAL_MS = 15_000
const FRAME_MS = 120
const SPINNER = ['-', '\\', '|', '/']

/** Prints the events of a command; `close` ends a live view. */
export interface Reporter {
  readonly emit: Emit
  close(): void
}

/** `--json`: one event a line on stdout. */
export function jsonReporter(): Reporter {
  return { emit: (event) => process.stdout.write(jsonLine(event, (text) => text)), close: () => {} }
}

/** Sentences on stderr, for commands whose stdout is what they found. */
export function resultReporter(): Reporter {
  const emit = (event: Event): void => {
    if (event.event === 'note') say([event.text], process.stderr)
    else if (event.event === 'failure') say(failureLines(event), process.stderr)
  }
  return { emit, close: () => {} }
}

/** Lines for logs: no cursor movement, no colours. */
export function plainReporter(): Reporter {
  let stage = 'prepare'
  let lastProgress = 0
  const progress = new Map<string, Progress>()
  const apart = blanksOnce()
  const line = (text: string) => process.stdout.write(`${text}\n`)
  const emit = (event: Event): void => {
    if (event.event === 'progress') {
      progress.set(event.what, event)
      const now = performance.now()
      if (now - lastProgress < PLAIN_INTERVAL_MS) return
      lastProgress = now
      line(`[${stage}] ${progressText(progress)}`)
      return
    }
    if (event.event === 'stage-start') {
      stage = event.stage
      lastProgress = performance.now()
      progress.clear()
    }
    for (const text of apart(linesOf(event))) line(text)
  }
  return { emit, close: () => {} }
}

type Progress = Extract<Event, { event: 'progress' }>

interface Row {
  readonly name: StepName
  state: 'waiting' | 'running' | 'done' | 'skipped' | 'failed'
  started: number
  seconds: number
}

/** One live view of all stages below what has been said so far. */
export function liveReporter(): Reporter {
  let rows: Row[] = []
  const progress = new Map<string, Progress>()
  const apart = blanksOnce()
  let frame = 0
  let quiet = performance.now() // since when nothing was said
  const draw = () => {
    const lines = rows.map((row) => rowText(row, progress, frame))
    if (rows.length > 0 && rows.every(({ state }) => state === 'waiting')) {
      const seconds = formatSeconds((performance.now() - quiet) / 1000)
      lines.unshift(`${SPINNER[frame % SPINNER.length]} preparing ${progressText(progress) || seconds}`)
    }
    logUpdate(lines.map((line) => cutLine(line, columnsOf(process.stdout))).join('\n'))
  }
  const timer = setInterval(() => {
    frame++
    if (rows.length > 0) draw()
  }, FRAME_MS)
  timer.unref()
  const rowOf = (name: StepName) => rows.find((row) => row.name === name)

  const update = (event: Event): void => {
    if (event.event === 'start') {
      rows = event.stages.map((name) => ({ name, state: 'waiting', started: 0, seconds: 0 }))
    } else if (event.event === 'progress') progress.set(event.what, event)
    else if (event.event === 'stage-start') set(rowOf(event.stage), 'running')
    else if (event.event === 'stage-skip') set(rowOf(event.stage), 'skipped')
    else if (event.event === 'stage-done') set(rowOf(event.stage), 'done')
    else if (event.event === 'failure')
      set(
        rows.find(({ state }) => state === 'running'),
        'failed',
      )
    if (event.event.startsWith('stage-')) progress.clear()
  }
  const emit = (event: Event): void => {
    update(event)
    if (event.event === 'note') quiet = performance.now()
    const said = event.event.startsWith('stage-') ? [] : apart(linesOf(event))
    if (event.event === 'done' || event.event === 'failure') {
      if (rows.length > 0) draw()
      logUpdate.done()
      rows = [] // the last word stands below the view
    }
    if (said.length > 0) {
      if (rows.length > 0) logUpdate.clear()
      process.stdout.write(`${said.join('\n')}\n`)
    }
    if (rows.length > 0) draw()
  }
  const close = () => {
    clearInterval(timer)
    logUpdate.done()
  }
  return { emit, close }
}

/** Two tables have one blank line between them: what begins with one leaves it out behind another. */
function blanksOnce(): (lines: readonly string[]) => string[] {
  let last = ''
  return (lines) =>
    lines.filter((line) => {
      const isKept = line !== '' || last !== ''
      last = line
      return isKept
    })
}

/** The lines an event is worth in a log. Its texts may be of others. */
function linesOf(given: Event): string[] {
  const event = given.event === 'failure' ? given : mapTexts(given, printable)
  switch (event.event) {
    case 'start':
      return wrapped([`${event.model} -> ${event.output}`])
    case 'stage-start':
      return [`[${event.stage}] started`]
    case 'stage-skip':
      return [`[${event.stage}] skipped: ${event.reason}`]
    case 'stage-done':
      return [`[${event.stage}] done in ${formatSeconds(event.seconds)}`]
    case 'progress':
      return []
    case 'note':
      return wrapped([`  ${event.text}`])
    case 'table':
      return ['', ...wrapped([event.title]), ...tableLines(event.columns, event.rows), '']
    case 'failure':
      return wrapped(failureLines(event))
    case 'done':
      return [
        ...wrapped([`Done in ${formatSeconds(event.seconds)}. ${event.release ?? ''}`.trimEnd()]),
        ...nextLines(event.next ?? []),
      ]
    default:
      return unreachable(event)
  }
}

function wrapped(lines: readonly string[]): string[] {
  return wrapLines(lines, columnsOf(process.stdout))
}

/** What to open or to run next, to be copied: a command continues behind a backslash, and no word is broken. */
function nextLines(next: readonly NextStep[]): string[] {
  const label = Math.max(0, ...next.map(({ what }) => what.length))
  const widest = Math.max(0, ...next.map(({ text }) => text.length))
  const isWide = 2 + label + 2 + widest > columnsOf(process.stdout)
  const lines = next.flatMap(({ what, text }) =>
    isWide ? [`  ${what}:`, ...commandLines(text)] : [`  ${what.padEnd(label)}  ${text}`],
  )
  return lines.length === 0 ? [] : ['', ...lines]
}

function commandLines(text: string): string[] {
  const lines = wrapWords(text, columnsOf(process.stdout) - 8)
  return lines.map((line, i) => `${i === 0 ? '    ' : '      '}${line}${i < lines.length - 1 ? ' \\' : ''}`)
}

function rowText(row: Row, progress: ReadonlyMap<string, Progress>, frame: number): string {
  const mark = {
    waiting: ' ',
    running: SPINNER[frame % SPINNER.length],
    done: '+',
    skipped: '=',
    failed: 'x',
  }[row.state]
  const seconds = row.state === 'running' ? (performance.now() - row.started) / 1000 : row.seconds
  const time = row.state === 'waiting' ? '' : row.state === 'skipped' ? 'unchanged' : formatSeconds(seconds)
  const detail = row.state === 'running' ? progressText(progress) : ''
  return `${mark} ${row.name.padEnd(10)}${time.padEnd(12)}${detail}`.trimEnd()
}

/** What is still under way, or the last thing that was. */
function progressText(progress: ReadonlyMap<string, Progress>): string {
  const all = [...progress.values()]
  const open = all.filter(({ done, total }) => done < total)
  return (open.length > 0 ? open : all.slice(-1)).map(partText).join(', ')
}

function partText({ what, done, total, unit, perSecond, secondsLeft }: Progress): string {
  const percent = total > 0 ? Math.floor((100 * done) / total) : 0
  const amount =
    unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done} of ${total} ${unit}`
  const pace =
    perSecond === undefined || secondsLeft === undefined
      ? ''
      : `, ${formatBytes(Math.round(perSecond))}/s, ${formatSeconds(secondsLeft)} left`
  return `${printable(what)}: ${amount} (${percent} %${pace})`
}

function set(row: Row | undefined, state: Row['state']): void {
  if (!row) return
  if (state === 'running') row.started = performance.now()
  else if (row.state === 'running') row.seconds = (performance.now() - row.started) / 1000
  row.state = state
}
