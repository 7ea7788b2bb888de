// SPDX-License-Identifier: Apache-2.0

import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { openAudioFile } from '../../eval/runtime/audio/audio-file.ts'
import { decodeAudio } from '../../eval/runtime/audio/decode.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { fileOf } from '../helpers/audio.ts'
import { builtModule } from '../helpers/commands.ts'
import { convert } from '../helpers/ffmpeg.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { wavOf } from '../helpers/wav.ts'

const FLAC = join(BUNDLED_SPEECH, 'held-out-002.flac')
const MINUTES = 60
const MEGABYTE = 1e6

/** Silence of 16 bits at 16 kHz, in a sparse file, which costs nothing to make. */
async function silence(): Promise<string> {
  const path = join(await temporaryFolder(), 'long.wav')
  const head = wavOf(Buffer.alloc(0), { size: 0xffffffff })
  const handle = await open(path, 'w')
  await handle.write(head)
  await handle.truncate(head.length + MINUTES * 60 * 32000)
  await handle.close()
  return path
}

async function memoryOf(path: string, env: Record<string, string> = {}) {
  const { stdout } = await execa(process.execPath, [builtModule('test/helpers/peak-memory.ts'), path], {
    env,
  })
  return JSON.parse(stdout) as { growth: number; samples: number }
}

describe('memory does not grow with the length', () => {
  // An hour of samples alone is 230 MB.
  it('of a WAV file', async () => {
    const { growth, samples } = await memoryOf(await silence())
    expect(samples).toBe(MINUTES * 60 * 16000)
    expect(growth).toBeLessThan(130 * MEGABYTE)
  })

  it('of what ffmpeg decodes', async () => {
    const fake = join(await temporaryFolder(), 'ffmpeg')
    await writeFile(fake, `#!/bin/sh\nexec cat "${await silence()}"\n`, { mode: 0o755 })
    const { growth, samples } = await memoryOf(await fileOf(Buffer.from([0, 1, 2, 3, 0x80, 0xff])), {
      FFMPEG_PATH: fake,
    })
    expect(samples).toBe(MINUTES * 60 * 16000)
    expect(growth).toBeLessThan(130 * MEGABYTE)
  })

  it.each([
    ['a.mp3', ['-write_xing', '0'], 1],
    ['a.mp3', [], 1],
    ['a.flac', [], 4],
    ['a.opus', [], 1],
    ['a.ogg', ['-c:a', 'libvorbis'], 1],
  ])(
    '%s made with %j: the first samples come before more than some megabytes are read',
    async (name, args, megabytes) => {
      const one = name === 'a.flac' ? await readFile(FLAC) : Buffer.from(await convert(FLAC, name, args))
      const copies = Math.ceil((8 * MEGABYTE) / one.length)
      const file = await openAudioFile({ path: await fileOf(Buffer.concat(Array<Buffer>(copies).fill(one))) })
      const { blocks } = await decodeAudio(file, [])
      let [samples, count] = [0, 0]
      for await (const { channels } of blocks) {
        samples += channels[0]?.length ?? 0
        if (++count === 4) break
      }
      expect(samples).toBeGreaterThan(0)
      expect(file.reader.position).toBeLessThan(megabytes * MEGABYTE)
      await file.close()
    },
  )
})
