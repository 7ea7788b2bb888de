// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { refereePython } from './prepared.ts'

const ASK = 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'

let found: Promise<string> | undefined

/** The ffmpeg that comes with a test-only Python package. */
export async function ffmpegPath(): Promise<string> {
  found ??= refereePython()
    .then(({ python, env }) => execa(python, ['-c', ASK], { env }))
    .then(({ stdout }) => stdout.trim())
  return found
}

/** Convert an audio file; `args` stand before the output, `inputArgs` before the input. */
export async function convert(
  input: string,
  name: string,
  args: readonly string[],
  inputArgs: readonly string[] = [],
): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-'))
  try {
    const output = join(folder, name)
    await execa(await ffmpegPath(), ['-v', 'error', ...inputArgs, '-i', input, ...args, output])
    return await readFile(output)
  } finally {
    await rm(folder, { recursive: true })
  }
}
