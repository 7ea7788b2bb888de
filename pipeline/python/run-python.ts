// SPDX-License-Identifier: Apache-2.0

import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import '../../eval/runtime/no-telemetry.ts' // inherited by the script, which may load onnxruntime
import { endWithUs } from '../../eval/runtime/children.ts'
import type { JsonObject } from '../../eval/runtime/json-value.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { keyed, number, text } from '../../eval/runtime/schema.ts'
import { checked, checkedText } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { redact } from '../shared/redact.ts'

/** The last event of a script, whose shape is its own: see {@link checkedResult}. */
export type PythonResult = JsonObject

const EVENTS = '"progress", "note", "result" or "error"'
/** A line of a script's stdout; python/protocol.py writes them. */
const EVENT = v.variant(
  'event',
  [
    keyed({
      event: v.literal('progress', EVENTS),
      what: text,
      done: number,
      total: number,
      unit: text,
    }),
    keyed({ event: v.literal('note', EVENTS), text }),
    keyed({ event: v.literal('result', EVENTS) }),
    keyed({ event: v.literal('error', EVENTS), message: text, hint: text }),
  ],
  ({ path }) => (path ? EVENTS : 'an object'),
)

interface Options {
  readonly python: string
  /** where the script's stderr goes, for --debug and bug reports */
  readonly log: string
  readonly signal: AbortSignal
  readonly onProgress: (progress: { what: string; done: number; total: number; unit: string }) => void
  /** called with sentences that the user should read */
  readonly onNote?: (text: string) => void
  readonly env?: Readonly<Record<string, string>>
}

const TAIL_LINES = 12

/**
 * Run `python/<script>` and pass its JSON lines on (see python/protocol.py).
 * @returns the script's result event
 * @throws Failure with the script's own sentence, or with the end of its stderr when it crashed
 */
export async function runPython(
  script: string,
  args: readonly string[],
  options: Options,
): Promise<PythonResult> {
  await mkdir(dirname(options.log), { recursive: true })
  await writeFile(options.log, '')
  const child = execa(options.python, [join(PROJECT, 'python', script), ...args], {
    cancelSignal: options.signal,
    forceKillAfterDelay: 2000,
    reject: false,
    stdin: 'pipe', // held open: the script ends with us
    env: {
      PYTHONUNBUFFERED: '1',
      PYTHONHASHSEED: '0',
      TOKENIZERS_PARALLELISM: 'false',
      HF_HUB_OFFLINE: '1',
      HF_HUB_DISABLE_TELEMETRY: process.env['HF_HUB_DISABLE_TELEMETRY'] ?? '1',
      QWEN3_ASR_ONNX_PARENT: '1',
      ...options.env,
    },
  })
  endWithUs(child)
  const { result, said, wrong } = await readEvents(child.iterable({ from: 'stdout' }), script, options)
  const ended = await child
  await appendFile(options.log, redact(ended.stderr))
  if (ended.isCanceled || options.signal.aborted) throw options.signal.reason
  if (said) throw said
  if (wrong && ended.exitCode === 0) throw wrong
  if (result && ended.exitCode === 0) return result
  throw crashed(script, ended.exitCode, ended.signal, ended.stderr, options.log)
}

interface Read {
  result?: PythonResult
  /** what the script found wrong */
  said?: Failure
  /** a line that is not an event; a script that is killed leaves half of one */
  wrong?: Failure
}

async function readEvents(
  lines: AsyncIterable<string>,
  script: string,
  { log, onProgress, onNote }: Options,
): Promise<Read> {
  const read: Read = {}
  const source = {
    file: `What python/${script} writes`,
    hint: `It is a fault of that script; the whole of its stderr is in ${log}.`,
  }
  for await (const line of lines) {
    const event = eventOf(line, source)
    if (event instanceof Failure) read.wrong ??= event
    else if (event.event === 'progress') onProgress(event)
    else if (event.event === 'note') onNote?.(event.text)
    else if (event.event === 'result') read.result = event
    else read.said = new Failure(event.message, event.hint)
  }
  return read
}

function eventOf(line: string, source: Parameters<typeof checkedText>[2]) {
  try {
    return checkedText(EVENT, line, source)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

/** What a script found, as its caller needs it. @throws Failure naming the key that is not right */
export function checkedResult<Schema extends v.GenericSchema>(
  schema: Schema,
  result: PythonResult,
  script: string,
): v.InferOutput<Schema> {
  return checked(schema, result, { file: `The result of python/${script}` })
}

function crashed(
  script: string,
  code: number | undefined,
  signal: string | undefined,
  stderr: string,
  log: string,
): Failure {
  if (signal === 'SIGKILL') {
    return new Failure(
      `python/${script} was killed, most likely because the memory was full.`,
      'Close other programs or use a larger machine.',
    )
  }
  const tail = stderr.trim().split('\n').slice(-TAIL_LINES).join('\n')
  return new Failure(
    `python/${script} ended with ${signal ?? `exit code ${code}`}:\n${tail}`,
    `The whole output is in ${log}.`,
  )
}
