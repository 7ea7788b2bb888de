import { execa } from 'execa'
import { endWithUs } from '../children.ts'
import { SpeechError } from '../speech-error.ts'
import type { AudioBlock, Decoded, UnreadableError } from './audio-block.ts'
import { ByteReader, streamInput } from './byte-reader.ts'
import { decodeWav } from './wav.ts'

/** Containers in which samples are floats: AIFF-C, CAF, AU, Wave64 and WAV. */
const MAY_HOLD_FLOATS = /^(FORM|caff|\.snd|riff|RIFF|RF64|BW64|RIFX)/
/** Of what ffmpeg says, for the message. */
const LONGEST_REASON = 2000

/**
 * Decode what no other decoder here reads (M4A, AAC, AIFF, WMA, video files) with the ffmpeg on PATH, or of
 * FFMPEG_PATH: the packages for AAC on the npm registry are under the GPL or no longer kept. All channels come through a pipe, at
 * the file's own rate, so that they are mixed and resampled as those of other formats. ffmpeg opens this file and no other.
 * @param head first bytes of the file
 * @param refusal why the other decoders do not read it
 * @throws SpeechError without ffmpeg, or with what it said
 */
export async function decodeWithFfmpeg(
  path: string,
  head: Buffer,
  refusal: UnreadableError,
  signal?: AbortSignal,
): Promise<Decoded> {
  const run = startFfmpeg(path, signal)
  const input = streamInput(run.output)
  let decoded: Decoded
  try {
    decoded = await decodeWav(new ByteReader(input), [])
  } catch {
    run.stop()
    throw refused(refusal, await run.ended, path)
  }
  return { isFloat: MAY_HOLD_FLOATS.test(head.toString('latin1')), blocks: blocks(decoded, run, path) }
}

async function* blocks(decoded: Decoded, run: FfmpegRun, path: string): AsyncGenerator<AudioBlock> {
  try {
    yield* decoded.blocks
    const end = await run.ended
    if (end.exitCode !== 0) {
      throw new SpeechError(
        `ffmpeg cannot read the file to its end: ${reason(end, path)}`,
        'Get the file again.',
      )
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
    ...['-nostdin', '-hide_banner', '-v', 'error', '-xerror'],
    // A playlist must not make ffmpeg fetch what it names; a name is a file, whatever it looks like.
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
    said = (said + text.toString()).slice(-LONGEST_REASON)
  })
  const ended = child.then(({ exitCode, code }) => ({ exitCode, isMissing: code === 'ENOENT', said }))
  return { output: child.stdout, ended, stop: () => void child.kill('SIGKILL') }
}

function refused(refusal: UnreadableError, end: FfmpegEnd, path: string): SpeechError {
  if (end.isMissing) {
    return new SpeechError(
      `${refusal.message}${refusal.wanted}; others need ffmpeg, which is not on PATH.`,
      'Install ffmpeg, or convert the file elsewhere: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav',
    )
  }
  return new SpeechError(`${refusal.message}, and ffmpeg cannot read it: ${reason(end, path)}`)
}

function reason({ said }: FfmpegEnd, path: string): string {
  const line = said.trim().split('\n').at(-1)?.replaceAll(`file:${path}`, 'the file') ?? ''
  return line || 'no reason given'
}
