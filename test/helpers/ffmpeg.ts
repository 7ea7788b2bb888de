import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { temporaryFolder } from './folder.ts'
import { TEST_PACKAGES } from './places.ts'

const ASK = 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'

/** The ffmpeg that comes with a test-only Python package. */
export async function ffmpegPath(): Promise<string> {
  const { stdout } = await execa('.venv/bin/python', ['-c', ASK], { env: { PYTHONPATH: TEST_PACKAGES } })
  return stdout.trim()
}

/** Convert an audio file; `args` stand before the output. */
export async function convert(input: string, name: string, args: readonly string[]): Promise<Uint8Array> {
  const output = join(await temporaryFolder(), name)
  await execa(await ffmpegPath(), ['-v', 'error', '-i', input, ...args, output])
  return readFile(output)
}
