import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { SpeechError } from '../speech-error.ts'
import { type DecodedAudio, decodeWav } from './wav.ts'

/**
 * Decode what no other decoder here reads (M4A, AAC, AIFF, WMA, video files) with the ffmpeg on PATH, or of
 * FFMPEG_PATH: the packages for AAC on the npm registry are under the GPL or no longer kept.
 * @param format how the bytes begin, for the message
 * @throws SpeechError without ffmpeg, or with what it said
 */
export async function decodeWithFfmpeg(
  bytes: Uint8Array,
  format: string,
  signal?: AbortSignal,
): Promise<DecodedAudio> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-audio-'))
  try {
    const [input, output] = [join(folder, 'in'), join(folder, 'out.wav')]
    await writeFile(input, bytes)
    const args = ['-v', 'error', '-xerror', '-i', input, '-vn', '-map', '0:a:0', '-c:a', 'pcm_f32le', output]
    const run = await execa(process.env['FFMPEG_PATH'] || 'ffmpeg', args, {
      ...{ reject: false, stdin: 'ignore' },
      ...(signal && { cancelSignal: signal }),
    })
    signal?.throwIfAborted()
    if (run.exitCode === 0) return decodeWav(await readFile(output))
    if (run.code === 'ENOENT') {
      throw new SpeechError(
        `The file begins with ${format}, wanted FLAC, WAV, MP3, Ogg Opus or Ogg Vorbis; others need ffmpeg, which is not on PATH.`,
        'Install ffmpeg, or convert the file elsewhere: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav',
      )
    }
    const said = run.stderr.trim().split('\n').at(-1)?.replaceAll(input, 'the file') ?? ''
    throw new SpeechError(
      `The file begins with ${format}, and ffmpeg cannot read it: ${said || 'no reason given'}`,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
