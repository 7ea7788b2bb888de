// SPDX-License-Identifier: Apache-2.0

import { requirePeers } from '../../eval/runtime/missing-package.ts'
import type { Emit } from '../shared/events.ts'
import { describeError, EXIT, type ExitCode, Failure } from '../shared/failure.ts'
import { asTyped } from '../shared/own-commands.ts'
import { mapTexts, redact } from '../shared/redact.ts'
import { say, sayJson, sayStack } from '../shared/terminal.ts'
import { jsonReporter, liveReporter, plainReporter, type Reporter, resultReporter } from './reporter.ts'

const JSON_CHANGED =
  'note: --json prints one event a line: what was found has "event":"report", and the last line is "done" or "failure".'

/** Options of every command. */
export interface CommonOptions {
  readonly json: boolean
  readonly debug: boolean
  /** a question may be asked in between, which a live view would draw over */
  readonly asks?: boolean
}

/** Where a command says what it does and what it found. */
export interface Output {
  readonly isJson: boolean
  readonly emit: Emit
  note(text: string): void
  /** What was found: one event with --json, lines on stdout without. */
  report(facts: object, lines: () => readonly string[]): void
}

/** A command: how its line is read, what it does, and how it may be stopped. */
export interface Command<Options extends CommonOptions> {
  /** @returns undefined when help or the version was printed */
  parse(args: readonly string[]): Promise<Options | undefined>
  /** @returns an exit code, or a failure of which all has been said but with --json */
  run(options: Options, output: Output, signal: AbortSignal): Promise<number | Failure>
  /** what stdout is for: how the work goes, or what was found; then sentences go to stderr */
  readonly stdout: 'log' | 'results'
  /** works with packages that someone who only transcribes has not installed: optional peers of package.json */
  readonly needsPeers?: boolean
  /** what to do after an interruption */
  readonly afterStop?: string
  /** by default Ctrl-C aborts the signal; or else it ends the process */
  isStoppable?(options: Options): boolean
  /** nothing is left to do when the reader of stdout has gone, as head does */
  readonly endsWithReader?: boolean
  /** --json meant something else in earlier versions */
  readonly isJsonChanged?: boolean
}

/** The process that a command runs in. */
export interface Host {
  /** aborted when the reader of stdout has gone */
  readonly reader: AbortSignal
  /** @returns what Ctrl-C aborts */
  interruption(hint: string): AbortSignal
  /** Take care of what nobody caught, before the process ends with the code. */
  onUncaught(handle: (error: unknown) => ExitCode): void
}

/** Runs a command with the arguments behind its name. @returns the exit code */
export type RunCommand = (args: readonly string[], host?: Host) => Promise<number>

const never = new AbortController().signal
const NO_HOST: Host = { reader: never, interruption: () => never, onUncaught: () => {} }

/** A command as a function of its command line: it prints, and gives back the exit code. */
export function runnable<Options extends CommonOptions>(command: Command<Options>): RunCommand {
  return async (args, host = NO_HOST) => {
    let reporter = reporterFor(command, isOn('json', args))
    const fail = (error: unknown): ExitCode => {
      const { message, hint, exitCode } = describeError(error)
      reporter.emit({ event: 'failure', message: shown(message), hint: shown(hint), exitCode })
      if (isOn('debug', args)) sayStack(error)
      reporter.close()
      return exitCode
    }
    host.onUncaught(fail)
    try {
      const options = await command.parse(args)
      if (options === undefined) return EXIT.done
      reporter = reporterFor(command, options.json, options.asks ?? false)
      const ended = await carryOut(command, options, outputOf(reporter, options.json), host)
      return ended instanceof Failure ? fail(ended) : ended
    } catch (error) {
      return command.endsWithReader && host.reader.aborted ? EXIT.done : fail(error)
    } finally {
      reporter.close()
    }
  }
}

async function carryOut<Options extends CommonOptions>(
  command: Command<Options>,
  options: Options,
  output: Output,
  { interruption, reader }: Host,
): Promise<number | Failure> {
  const { afterStop = '', endsWithReader = false, isJsonChanged = false } = command
  if (options.json && isJsonChanged) say([JSON_CHANGED], process.stderr)
  if (command.needsPeers) requirePeers()
  const started = performance.now()
  const stop = (command.isStoppable?.(options) ?? true) ? interruption(afterStop) : never
  const signal = endsWithReader ? AbortSignal.any([stop, reader]) : stop
  const ended = await command.run(options, output, signal)
  if (endsWithReader && reader.aborted) return EXIT.done
  if (ended instanceof Failure) return options.json ? ended : ended.exitCode
  if (command.stdout === 'results')
    output.emit({ event: 'done', seconds: (performance.now() - started) / 1000 })
  return ended
}

function outputOf({ emit }: Reporter, isJson: boolean): Output {
  const clean: Emit = (event) => emit(event.event === 'progress' ? event : mapTexts(event, shown))
  return {
    isJson,
    emit: clean,
    note: (text) => clean({ event: 'note', text }),
    report(facts, lines) {
      if (isJson) sayJson({ event: 'report', ...facts })
      else say(lines().map((line) => asTyped(line)))
    },
  }
}

/** A sentence of ours that is safe to show, with commands as they are typed here. */
function shown(text: string): string {
  return asTyped(redact(text))
}

/** @param asks whether a question may be asked: before the options are known, nothing is drawn over */
function reporterFor({ stdout }: { stdout: 'log' | 'results' }, isJson: boolean, asks = true): Reporter {
  if (isJson) return jsonReporter()
  if (stdout === 'results') return resultReporter()
  const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'
  return process.stdout.isTTY && !isCi && !asks ? liveReporter() : plainReporter()
}

/** Whether a switch is on, also on a command line that is wrong; what follows `--` are names. */
function isOn(name: string, args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const forms = [`--${name}`, `--${name}=true`, `--no-${name}`, `--${name}=false`]
  const given = args.slice(0, end < 0 ? undefined : end).findLast((arg) => forms.includes(arg))
  return given !== undefined && forms.indexOf(given) < 2
}
