import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readCheckpoint } from '../pipeline/checkpoint/checkpoint.ts'
import { BUNDLED_SPEECH, MODELS, PROJECT } from '../pipeline/models.ts'

async function bytesIn(folder: string): Promise<number> {
  const infos = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  return infos.reduce((sum, { size }) => sum + size, 0)
}

describe('the bundled checkpoint and speech', () => {
  it('the checkpoint is the true architecture in at most 6 MB, with a card that tells recipe, seed and WER', async () => {
    const { folder } = MODELS.tiny.source
    expect(await bytesIn(folder)).toBeLessThanOrEqual(6e6)
    const { format, tensors } = await readCheckpoint(folder)
    expect(format).toBe('native')
    const values = Object.values(tensors).reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    )
    expect(values).toBe(1_360_704)
    const card = await readFile(join(folder, 'README.md'), 'utf8')
    expect(card).toMatch(/--seed \d+/)
    expect(Number(/WER (\d+\.\d+) %/.exec(card)?.[1])).toBeLessThanOrEqual(3)
  })

  it('the speech is at least 60 clips in at most 4 MB, some over 10 s, in both languages, by voices training has not heard', async () => {
    expect(await bytesIn(BUNDLED_SPEECH)).toBeLessThanOrEqual(4e6)
    const lines = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
    const clips = lines.map((line) => JSON.parse(line))
    expect(clips.length).toBeGreaterThanOrEqual(60)
    expect(clips.filter(({ seconds }) => seconds > 10).length).toBeGreaterThanOrEqual(3)
    expect(new Set(clips.map(({ language }) => language))).toEqual(new Set(['English', 'German']))
    const source = await readFile(join(PROJECT, 'python', 'tiny', 'tiny_speech.py'), 'utf8')
    const trained = /TRAIN_VARIANTS = \(([^)]*)\)/.exec(source)?.[1]?.match(/[\w]+/g) ?? []
    expect(trained.length).toBeGreaterThan(20)
    for (const { speaker } of clips) expect(trained).not.toContain(speaker.split('+')[1])
  })
})
