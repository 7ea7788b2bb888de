// SPDX-License-Identifier: Apache-2.0

import logUpdate from 'log-update'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { percent } from '../../eval/report/number-text.ts'
import { scoreUtterance } from '../../eval/score.ts'
import { NO_ERRORS, totalErrors } from '../../eval/wer.ts'
import type { Emit } from '../shared/events.ts'
import { formatSeconds } from '../shared/output-files.ts'
import { printable } from '../shared/printable.ts'
import { say } from '../shared/terminal.ts'

/** Logs say how far it is at most this often. */
const PLAIN_INTERVAL_MS = 15_000
const FRAME_MS = 250

/** How far an evaluation is: one live line on a terminal, a line now and then in a log. Writes to stderr. */
export interface Progress {
  begin(system: string, missing: number): void
  /** @param normalizer undefined where nothing was recognized: of aligners */
  add(record: UtteranceRecord, normalizer: NormalizerName | undefined): void
  finish(): void
  note(text: string): void
  close(): void
}

interface State {
  system: string
  missing: number
  done: number
  errors: number
  words: number
  compute: number
  audio: number
  started: number
}

/** Progress on stderr. @param isLive one line that is drawn again, instead of lines of a log */
export function makeProgress(isLive: boolean): Progress {
  let state: State | undefined
  let lastLine = performance.now()
  const write = (text: string) => say([text], process.stderr)
  const draw = () => {
    if (state) logUpdate(textOf(state))
  }
  const timer = isLive ? setInterval(draw, FRAME_MS) : undefined
  timer?.unref()
  const finish = () => {
    if (!state) return
    if (isLive) logUpdate.clear()
    write(textOf(state))
    state = undefined
  }
  return {
    begin(system, missing) {
      finish()
      state = {
        system,
        missing,
        done: 0,
        errors: 0,
        words: 0,
        compute: 0,
        audio: 0,
        started: performance.now(),
      }
      lastLine = performance.now()
    },
    add(record, normalizer) {
      if (!state) return
      count(state, record, normalizer)
      if (isLive || performance.now() - lastLine < PLAIN_INTERVAL_MS) return
      lastLine = performance.now()
      write(textOf(state))
    },
    finish,
    note(text) {
      if (isLive) logUpdate.clear()
      write(text)
    },
    close() {
      clearInterval(timer)
      finish()
    },
  }
}

/** The same as events. */
export function progressEvents(emit: Emit): Progress {
  let [what, done, total] = ['', 0, 0]
  return {
    begin(system, missing) {
      ;[what, done, total] = [system, 0, missing]
    },
    add: () => emit({ event: 'progress', what, done: ++done, total, unit: 'utterances' }),
    note: (text) => emit({ event: 'note', text }),
    finish: () => {},
    close: () => {},
  }
}

function count(state: State, record: UtteranceRecord, normalizer: NormalizerName | undefined): void {
  const errors = normalizer === undefined ? NO_ERRORS : scoreUtterance(record, normalizer).errors
  state.done++
  state.errors += totalErrors(errors)
  state.words += errors.words
  state.compute += record.compute
  state.audio += record.seconds
}

function textOf({ system, missing, done, errors, words, compute, audio, started }: State): string {
  const seconds = (performance.now() - started) / 1000
  const left =
    done === missing
      ? `in ${formatSeconds(seconds)}`
      : done === 0
        ? ''
        : `${formatSeconds((seconds / done) * (missing - done))} left`
  return [
    `${printable(system)}: ${done} of ${missing}`,
    ...(words > 0 ? [`WER ${percent(errors / words)}`] : []),
    ...(audio > 0
      ? [`RTF ${(compute / audio).toFixed(3)}`, `${((60 * done) / seconds).toFixed(0)} a minute`]
      : []),
    ...(left ? [left] : []),
  ].join(' · ')
}
