import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import '../eval/no-telemetry.ts' // inherited by the script, which may load onnxruntime
import { endWithUs } from '../eval/children.ts'
import { Failure } from './failure.ts'
import { PROJECT } from './models.ts'
import { redact } from './redact.ts'

export type PythonResult = Readonly<Record<string, unknown>>

interface Options {
  readonly python: string
  /** where the script's stderr goes, for --debug and bug reports */
  readonly log: string
  readonly signal: AbortSignal
  readonly onProgress: (progress: { what: string; done: number; total: number; unit: string }) => void
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
  let result: PythonResult | undefined
  let error: { message: string; hint: string } | undefined
  for await (const line of child.iterable({ from: 'stdout' })) {
    const event = JSON.parse(line)
    if (event.event === 'progress') options.onProgress(event)
    else if (event.event === 'result') result = event
    else if (event.event === 'error') error = event
  }
  const ended = await child
  await appendFile(options.log, redact(ended.stderr))
  if (ended.isCanceled || options.signal.aborted) throw options.signal.reason
  if (error) throw new Failure(error.message, error.hint)
  if (result && ended.exitCode === 0) return result
  throw crashed(script, ended.exitCode, ended.signal, ended.stderr, options.log)
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
      `python/${script} was killed, most likely for want of memory.`,
      'Close other programs or use a larger machine.',
    )
  }
  const tail = stderr.trim().split('\n').slice(-TAIL_LINES).join('\n')
  return new Failure(
    `python/${script} ended with ${signal ?? `exit code ${code}`}:\n${tail}`,
    `The whole output is in ${log}.`,
  )
}
