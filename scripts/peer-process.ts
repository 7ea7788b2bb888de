// SPDX-License-Identifier: Apache-2.0

import { execa } from 'execa'
import '../eval/runtime/no-telemetry.ts' // inherited by the processes
import * as v from 'valibot'
import { number as figure, list, type Parsed, shape } from '../eval/runtime/schema.ts'
import { checkedText } from '../pipeline/shared/checked.ts'

/* One side of `npm run bench -- peers` in a separate process, and what it prints: a line of JSON. Seconds and bytes. */

const told = v.nullable(figure)
const CLIP_RESULT = shape({
  /** until the text is there */
  seconds: figure,
  /** new ones that were computed */
  tokens: figure,
  encoder: told,
  prompt: told,
  /** until the first token is there */
  first: told,
  /** of one token after the first */
  step: told,
})
/** What a process with a loaded model prints. */
export const LOADED_RESULT = shape({
  /** until the model is ready, imports not counted */
  load: figure,
  /** the most that was resident */
  peak: figure,
  clips: list(CLIP_RESULT),
})

/** What was measured of one clip; null is a figure that the side does not give. */
export type ClipResult = Parsed<typeof CLIP_RESULT>
/** What a process with a loaded model has measured. */
export type LoadedResult = Parsed<typeof LOADED_RESULT>

/** A program with its arguments. */
export type Program = readonly [program: string, args: readonly string[]]

/** What is printed by a process that loads a model, transcribes all clips once without timing, and then with. */
export async function runLoaded([program, args]: Program): Promise<LoadedResult> {
  const { stdout } = await execa(program, args)
  return checkedText(LOADED_RESULT, lastLine(stdout), { file: `What ${program} prints`, hint: '' })
}

/** One clip from a fresh process. */
export interface Cold {
  /** from the start of the process until its line is there */
  readonly seconds: number
  readonly tokens: number
  readonly step: number | null
}

/**
 * Run a program, and time it from its start to its last output.
 * @param read finds the tokens, and the seconds of a step, in the line that the process prints
 */
export async function runCold(
  [program, args]: Program,
  read: (line: string) => Omit<Cold, 'seconds'>,
): Promise<Cold> {
  const started = performance.now()
  const child = execa(program, args)
  let ended = Number.NaN
  child.stdout.on('data', () => {
    ended = performance.now()
  })
  const { stdout } = await child
  return { seconds: (ended - started) / 1000, ...read(lastLine(stdout)) }
}

/** Of a line as the jobs of other engines print it. */
export function coldOfJob(line: string): Omit<Cold, 'seconds'> {
  const { clips } = checkedText(LOADED_RESULT, line, { file: 'What the job prints', hint: '' })
  const [{ tokens, step } = { tokens: 0, step: null }] = clips
  return { tokens, step }
}

const TRANSCRIPT = shape({ segments: list(shape({ tokens: figure })) })

/** Of a line of `npm run transcribe -- --format json`. */
export function coldOfTranscript(line: string): Omit<Cold, 'seconds'> {
  const { segments } = checkedText(TRANSCRIPT, line, { file: 'What transcribe prints', hint: '' })
  return { tokens: segments.reduce((sum, { tokens }) => sum + tokens, 0), step: null }
}

/** Of a reason: some engines list all that they support. */
const LONGEST = 240

/** The sentence of a process that failed: the last line of its stderr, or how it ended. */
export function reasonOf(error: unknown): string {
  const reason = sentenceOf(error)
    .trim()
    .replace(/^error: /, '')
  return reason.length > LONGEST ? `${reason.slice(0, LONGEST)} …` : reason
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { stderr = '', shortMessage } = error as Error & { stderr?: string; shortMessage?: string }
  const said = textOf(stderr).findLast((line) => /error|exception|failed|cannot|not /i.test(line))
  return said ?? textOf(stderr).at(-1) ?? shortMessage ?? error.message
}

function textOf(output: string): string[] {
  return output.split('\n').filter((line) => line.trim() !== '')
}

function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1) ?? ''
}
