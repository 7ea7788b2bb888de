import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openAudioFile } from '../../eval/audio/audio-file.ts'
import { decodeAudio } from '../../eval/audio/decode.ts'
import { temporaryFolder } from './folder.ts'

/** A new file that goes away with the test. */
export async function fileOf(bytes: Uint8Array, name = 'clip'): Promise<string> {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, bytes)
  return path
}

/** All channels at the file's own rate, as a decoder gives them: one entry for each stretch of one format. */
export async function decodeBytes(bytes: Uint8Array) {
  const notes: string[] = []
  const file = await openAudioFile({ path: await fileOf(bytes) })
  const parts: { sampleRate: number; channels: number[][] }[] = []
  try {
    const { blocks } = await decodeAudio(file, notes)
    for await (const { sampleRate, channels } of blocks) {
      const last = parts.at(-1)
      const continues = last?.sampleRate === sampleRate && last.channels.length === channels.length
      const part = continues ? last : { sampleRate, channels: channels.map(() => []) }
      if (!continues) parts.push(part)
      channels.forEach((samples, i) => {
        for (const sample of samples) part.channels[i]?.push(sample)
      })
    }
  } finally {
    await file.close()
  }
  return { parts, notes, sampleRate: parts[0]?.sampleRate ?? 0, channels: parts[0]?.channels ?? [] }
}
