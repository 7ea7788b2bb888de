// SPDX-License-Identifier: Apache-2.0

import { mkdir, realpath } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { defined } from '../../eval/runtime/defined.ts'
import { type Audio, Qwen3Asr, type Transcript } from '../../eval/runtime/qwen3-asr.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { onlyModel } from '../release/only-model.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { writeText } from '../shared/output-files.ts'
import { printable, printableSpeech } from '../shared/printable.ts'
import { failureLines } from '../shared/terminal.ts'
import { requireWritable } from '../shared/writable.ts'
import { transcriptContent, transcriptObject } from './transcript-formats.ts'
import { recognition, requireWordTimes, STDIN, type TranscribeOptions } from './transcription-options.ts'

const EXTENSIONS = { text: 'txt', json: 'json', srt: 'srt', vtt: 'vtt' } as const

/** Where results and complaints go. */
export interface Output {
  /** someone reads along: text may be shown before it is final */
  readonly isLive: boolean
  print(text: string): void
  /** every line by itself, with text of others in it */
  complain(lines: readonly string[]): void
  /** with --json: takes what would be printed, or where it was written */
  report?(facts: object): void
}

/**
 * Transcribe all recordings, as many at once as the decoder takes; results come in the order of the files.
 * @returns how many could not be transcribed
 * @throws Failure when there is no model, or when a file would be overwritten
 */
export async function transcribeFiles(
  options: TranscribeOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const { files, outputDir, format } = options
  if (outputDir !== undefined) await prepareFolder(outputDir, options)
  const modelDir = options.modelDir ?? (await onlyModel('name its folder with --model-dir', 'asr'))
  const [first] = files
  const asr = await Qwen3Asr.load(modelDir, { ...options, ...(first !== STDIN && defined({ first })) })
  try {
    if (options.wordTimestamps) requireWordTimes(asr, modelDir)
    const isPrinted = format === 'text' && outputDir === undefined && !output.report
    if (output.isLive && isPrinted && files.length === 1)
      return await transcribeLive(asr, files[0] as string, options, output, signal)
    return await transcribeAll(asr, options, output, signal)
  } finally {
    await asr.dispose()
  }
}

/** Print the text as it is decoded. */
async function transcribeLive(
  asr: Qwen3Asr,
  file: string,
  options: TranscribeOptions,
  { print, complain }: Output,
  signal: AbortSignal,
): Promise<number> {
  const { result, ...stream } = asr.stream(audioOf(file, options), recognition(options, asr, signal))
  try {
    for await (const text of stream) print(printableSpeech(text))
  } catch (error) {
    throw error instanceof SpeechError ? explained(error, file, options) : error
  }
  print('\n')
  warn(nameOf(file), await result, complain)
  return 0
}

async function transcribeAll(
  asr: Qwen3Asr,
  options: TranscribeOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const settings = recognition(options, asr, signal)
  const start = (file: string) => {
    const result = asr.transcribe(audioOf(file, options), settings)
    result.catch(() => undefined) // looked at when its turn comes
    return result
  }
  const { files } = options
  const ahead = options.batch ?? 4
  const results = files.slice(0, ahead).map(start)
  let failures = 0
  for (const [i, file] of files.entries()) {
    try {
      const transcript = await (results[i] as Promise<Transcript>)
      warn(nameOf(file), transcript, output.complain)
      await deliver(nameOf(file), transcript, asr, options, output)
    } catch (error) {
      if (!(error instanceof SpeechError)) throw error
      failures++
      output.complain(failureLines(explained(error, file, options)))
    }
    const next = files[i + ahead]
    if (next !== undefined) results.push(start(next))
  }
  return failures
}

function audioOf(file: string, { rate }: TranscribeOptions): Audio {
  if (file !== STDIN) return file
  return defined({ fd: 0, name: nameOf(file), rawRate: rate })
}

/** Samples without a header look like a file of no known kind. */
function explained(error: SpeechError, file: string, { rate }: TranscribeOptions): SpeechError {
  if (file !== STDIN || rate !== undefined || !/ begins with /.test(error.message)) return error
  const hint = 'Samples without a header (16-bit little-endian, mono) need their rate: --rate 16000.'
  return new SpeechError(error.message, error.hint ? `${error.hint} ${hint}` : hint)
}

/** As it is called in messages, in results, and in the names of files that are written. */
function nameOf(file: string): string {
  return file === STDIN ? 'stdin' : file
}

async function deliver(
  file: string,
  transcript: Transcript,
  { variant, layout, prefill }: Qwen3Asr,
  options: TranscribeOptions,
  { print, report }: Output,
): Promise<void> {
  const { format, outputDir, files } = options
  const about = { file, variant, layout, prefill }
  const content = transcriptContent(transcript, about, options)
  if (outputDir !== undefined) {
    const written = outputPath(file, outputDir, format)
    await writeText(written, content)
    report?.({ file, written })
  } else if (report) report(transcriptObject(transcript, about, options))
  else print(format === 'text' && files.length > 1 ? `${printable(file)}: ${content}` : content)
}

/** Warn of what the text alone does not show. */
function warn(file: string, { segments, warnings }: Transcript, complain: Output['complain']): void {
  if (warnings.length > 0) complain(warnings.map((note) => `warning: ${file}: ${note}`))
  const at = (seconds: number) => `${file} at ${seconds.toFixed(0)} s`
  for (const { start, ending } of segments) {
    if (ending === 'loop')
      complain([`warning: ${at(start)}: the output repeated itself and was stopped there.`])
    if (ending === 'limit') complain([`warning: ${at(start)}: the token limit cut the text off.`])
  }
  if (segments.every(({ text }) => text === '')) complain([`warning: ${file}: no speech was recognized.`])
}

function outputPath(file: string, folder: string, format: TranscribeOptions['format']): string {
  return join(folder, `${basename(file, extname(file))}.${EXTENSIONS[format]}`)
}

async function prepareFolder(folder: string, { files, format }: TranscribeOptions): Promise<void> {
  const paths = files.map((file) => outputPath(nameOf(file), folder, format))
  const twice = paths.findIndex((path, i) => paths.indexOf(path) !== i)
  if (twice >= 0) {
    throw new Failure(
      `${files[twice]} and ${files[paths.indexOf(paths[twice] as string)]} would both be written to ${paths[twice]}.`,
      'Transcribe them one after the other, to folders of their own.',
      EXIT.usage,
    )
  }
  await refuseOverwriting(files, paths)
  await requireWritable(folder, '--output-dir', 'Name another folder with --output-dir.')
  await mkdir(folder, { recursive: true })
}

/** A recording may be called as the text of another, or of itself. */
async function refuseOverwriting(files: readonly string[], paths: readonly string[]): Promise<void> {
  const places = await Promise.all(paths.map(placeOf))
  for (const file of files) {
    const i = places.indexOf(await placeOf(file))
    if (i < 0 || file === STDIN) continue
    throw new Failure(
      `The text of ${nameOf(files[i] as string)} would replace the recording ${file}.`,
      'Name another folder with --output-dir.',
      EXIT.usage,
    )
  }
}

async function placeOf(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path))
}
