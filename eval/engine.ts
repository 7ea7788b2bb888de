// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa, parseCommandString } from 'execa'
import { hashFile } from './hash-file.ts'
import { loadClip } from './runtime/audio/clip.ts'
import { encodeWav } from './runtime/audio/wav.ts'
import { endWithUs, HAS_GROUPS } from './runtime/children.ts'
import { SpeechError } from './runtime/speech-error.ts'

/** Any recognizer with a command line; `{wav}` stands for a 16 kHz mono WAV file, stdout is the transcript. */
export interface Engine {
  readonly name: string
  readonly command: string
}

/** What a command printed for one recording. */
export interface EngineHeard {
  /** of audio */
  readonly seconds: number
  readonly text: string
  /** wall time of the command, its start and loading included, in seconds */
  readonly compute: number
}

/** The engine that `--engine` names. @throws SpeechError unless the text is NAME:COMMAND with {wav} */
export function parseEngine(text: string): Engine {
  const at = text.indexOf(':')
  const [name, command] = [text.slice(0, Math.max(0, at)).trim(), text.slice(at + 1).trim()]
  if (name !== '' && command.includes('{wav}')) return { name, command }
  throw new SpeechError(
    `--engine "${text}" is not NAME:COMMAND with {wav} in the command.`,
    'For example --engine "whisper.cpp:whisper-cli -nt -np -f {wav}"',
  )
}

/**
 * Transcribe a clip by running the command.
 * @param timeout seconds
 * @throws SpeechError when the clip cannot be read or the command fails; the clip then counts as not transcribed
 */
export async function runEngine(
  engine: Engine,
  path: string,
  timeout: number,
  signal: AbortSignal,
): Promise<EngineHeard> {
  const { samples, seconds } = await loadClip(path)
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-engine-'))
  try {
    const wav = join(folder, 'clip.wav')
    await writeFile(wav, encodeWav(samples))
    const [file = '', ...args] = parseCommandString(engine.command).map((part) =>
      part.replaceAll('{wav}', wav),
    )
    const started = performance.now()
    const child = execa(file, args, {
      reject: false,
      stdin: 'ignore',
      cancelSignal: signal,
      timeout: 1000 * timeout,
      detached: HAS_GROUPS,
      encoding: 'buffer',
    })
    endWithUs(child, { isGroup: HAS_GROUPS }) // a command may be a script that starts the recognizer
    const run = await child
    const compute = (performance.now() - started) / 1000
    signal.throwIfAborted()
    if (run.exitCode === 0)
      return { seconds, compute, text: textOf(run.stdout, engine.name).replace(/\s+/g, ' ').trim() }
    if (run.timedOut) throw new SpeechError(`${engine.name} took longer than ${timeout} s.`)
    const said = Buffer.from(run.stderr).toString().trim().split('\n').at(-1)
    const why = said || (run.exitCode === undefined ? run.shortMessage : 'it wrote nothing to stderr.')
    throw new SpeechError(`${engine.name} failed (exit code ${run.exitCode ?? 'none'}): ${why}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Letters of another encoding would be scored as errors of the engine. */
function textOf(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new SpeechError(`${name} wrote text that is not valid UTF-8.`, 'Set its encoding, or its locale.')
  }
}

/**
 * What identifies an engine's program: a hash of the file, wherever it is.
 * @throws SpeechError when there is no such program
 */
export async function identifyEngine({ name, command }: Engine): Promise<string> {
  const [program = ''] = parseCommandString(command)
  const folders = /[\\/]/.test(program) ? [''] : (process.env['PATH'] ?? '').split(delimiter)
  for (const folder of folders) {
    for (const suffix of ['', '.exe', '.cmd']) {
      const path = folder === '' ? program + suffix : join(folder, program + suffix)
      const info = await stat(path).catch(() => undefined)
      if (info?.isFile()) return (await hashFile(path, 'blake2b512')).slice(0, 16)
    }
  }
  throw new SpeechError(
    `--engine ${name}: there is no program ${program}${folders.length > 1 ? ' on PATH' : ''}.`,
  )
}
