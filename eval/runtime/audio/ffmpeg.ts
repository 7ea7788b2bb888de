// SPDX-License-Identifier: Apache-2.0

import { execa } from 'execa'
import { endWithUs } from '../children.ts'
import { SpeechError } from '../speech-error.ts'
import type { AudioBlock, Decoded, UnreadableError } from './audio-block.ts'
import { ByteReader, streamInput } from './byte-reader.ts'
import { decodeWav } from './wav.ts'

/** Containers in which samples are floats: AIFF-C, CAF, AU, Wave64 and WAV. */
const MAY_HOLD_FLOATS = /^(FORM|caff|\.snd|riff|RIFF|RF64|BW64|RIFX)/
/** Of the beginning and of the end of what ffmpeg says. */
const LONGEST_REASON = 2000

/** A file for ffmpeg. */
export interface ForFfmpeg {
  readonly path: string
  /** its first bytes */
  readonly head: Buffer
  /** why the other decoders do not read it */
  readonly refusal: UnreadableError
  /** gets a sentence when ffmpeg reports damage */
  readonly notes: string[]
}

/**
 * Decode what no other decoder here reads (M4A, AAC, AIFF, WMA, video files) with the ffmpeg on PATH, or of
 * FFMPEG_PATH. The packages for AAC on the npm registry are under the GPL or no longer kept. All channels come
 * through a pipe, at the file's own rate, so that they are mixed and resampled as those of other formats. ffmpeg
 * opens this file and no other. ffmpeg passes over what it cannot decode, such as a packet that the end of the file
 * cuts off: a note says so.
 * @throws SpeechError without ffmpeg, or with what it said
 */
export async function decodeWithFfmpeg(file: ForFfmpeg, signal?: AbortSignal): Promise<Decoded> {
  const run = startFfmpeg(file.path, signal)
  let decoded: Decoded
  try {
    decoded = await decodeWav(new ByteReader(streamInput(run.output)), [])
  } catch {
    run.stop()
    throw refused(file, await run.ended)
  }
  return { isFloat: MAY_HOLD_FLOATS.test(file.head.toString('latin1')), blocks: blocks(decoded, run, file) }
}

async function* blocks(decoded: Decoded, run: FfmpegRun, file: ForFfmpeg): AsyncGenerator<AudioBlock> {
  let samples = 0
  try {
    for await (const block of decoded.blocks) {
      samples += block.channels[0]?.length ?? 0
      yield block
    }
    const end = await run.ended
    if (samples === 0 && end.said !== '') throw refused(file, end)
    if (end.exitCode !== 0) {
      throw new SpeechError(
        `ffmpeg cannot read the file to its end: ${linesOf(end, file).at(-1)}`,
        'Get the file again.',
      )
    }
    if (end.said !== '') {
      file.notes.push(`ffmpeg reports damage (${linesOf(end, file)[0]}); what it could decode was read.`)
    }
  } finally {
    run.stop()
  }
}

interface FfmpegRun {
  readonly output: AsyncIterable<Uint8Array>
  readonly ended: Promise<FfmpegEnd>
  stop(): void
}

interface FfmpegEnd {
  readonly exitCode: number | undefined
  readonly isMissing: boolean
  readonly said: string
}

function startFfmpeg(path: string, signal?: AbortSignal): FfmpegRun {
  const args = [
    ...['-nostdin', '-hide_banner', '-v', 'error'],
    // Nothing may make ffmpeg use the network; a name is a file, whatever it looks like.
    ...['-protocol_whitelist', 'file', '-i', `file:${path}`],
    ...['-vn', '-sn', '-dn', '-map', '0:a:0', '-c:a', 'pcm_f32le', '-f', 'wav', 'pipe:1'],
  ]
  const child = execa(process.env['FFMPEG_PATH'] || 'ffmpeg', args, {
    reject: false,
    stdin: 'ignore',
    buffer: false,
    encoding: 'buffer',
    ...(signal && { cancelSignal: signal }),
  })
  endWithUs(child)
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString()
    if (said.length > 2 * LONGEST_REASON)
      said = `${said.slice(0, LONGEST_REASON)}\n${said.slice(-LONGEST_REASON)}`
  })
  const ended = child.then(({ exitCode, code }) => ({ exitCode, isMissing: code === 'ENOENT', said }))
  return { output: child.stdout, ended, stop: () => void child.kill('SIGKILL') }
}

function refused(file: ForFfmpeg, end: FfmpegEnd): SpeechError {
  const { message, wanted } = file.refusal
  if (end.isMissing) {
    return new SpeechError(
      `${message}${wanted}; others need ffmpeg, which is not on PATH.`,
      'Install ffmpeg, or convert the file elsewhere: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav',
    )
  }
  if (/matches no streams/.test(end.said))
    return new SpeechError(`${message}, and ffmpeg finds no sound in it.`)
  return new SpeechError(`${message}, and ffmpeg cannot read it: ${linesOf(end, file).at(-1)}`)
}

/** What ffmpeg said, without the addresses of its parts; at least one line. */
function linesOf({ said }: FfmpegEnd, { path }: ForFfmpeg): string[] {
  const lines = said
    .replaceAll(`file:${path}`, 'the file')
    .split('\n')
    .map((line) => line.trim().replace(/^\[(\S+) @ 0x[0-9a-f]+\] /, '$1: '))
    .filter((line) => line !== '')
  return lines.length > 0 ? lines : ['no reason given']
}
