// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { recognize } from '../../eval/runtime/recognize.ts'
import { loadRecognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { type HeardClip, hearClips } from '../../pipeline/alignment/attention-run.ts'
import { chooseHeads } from '../../pipeline/alignment/choose-heads.ts'
import { readSpokenClips, type SpokenClip } from '../../pipeline/alignment/spoken-clips.ts'
import { BUNDLED_SPEECH, CALIBRATION_SPEECH } from '../../pipeline/models.ts'
import { alignmentCost } from '../../scripts/alignment-cost.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

let model = ''
let clips: SpokenClip[] = []
const heard: HeardClip[] = []

beforeAll(async () => {
  model = join(await sharedReleases(), TINY_NAME)
  clips = await readSpokenClips(BUNDLED_SPEECH, new AbortController().signal)
  const calibration = await readSpokenClips(CALIBRATION_SPEECH, new AbortController().signal)
  for await (const clip of hearClips(model, calibration, 1)) heard.push(clip)
})

/** Seconds by which the edges of words are off, where the transcript is the reference; with what is odd about the words. */
async function errorsOf(variant: string) {
  const recognizer = await loadRecognizer(model, { variant, threads: 2 })
  const errors: number[] = []
  const odd: string[] = []
  for (const { samples, text, words } of clips) {
    const { pieces } = await recognize(recognizer, samples)
    const found = pieces.flatMap((piece) => piece.words ?? [])
    expect(found.map((word) => word.text).join(' ')).toBe(pieces[0]?.text)
    for (const [i, { start, end }] of found.entries()) {
      const before = found[i - 1]?.end ?? 0
      if (!(start >= before && end > start && end <= samples.length / 16000))
        odd.push(`${text}: ${start} ${end}`)
    }
    if (pieces[0]?.text !== text) continue
    let next = 0
    for (const word of words) {
      const count = word.text.split(' ').length
      const [first, last] = [found[next], found[next + count - 1]]
      next += count
      errors.push(Math.abs((first?.start ?? 99) - word.start), Math.abs((last?.end ?? 99) - word.end))
    }
  }
  await releaseRecognizer(recognizer)
  return { errors, odd }
}

describe('times of words by attention', () => {
  it.each(['fp32', 'int4'])(
    'are within 55 ms of the truth on speech that nothing was chosen on, %s',
    async (variant) => {
      const { errors, odd } = await errorsOf(variant)
      const share = (limit: number) => errors.filter((error) => error <= limit).length / errors.length
      expect(errors.length).toBeGreaterThanOrEqual(850)
      expect(errors.reduce((a, b) => a + b, 0) / errors.length).toBeLessThan(0.055)
      expect(share(0.08)).toBeGreaterThan(0.81)
      expect(share(0.2)).toBeGreaterThan(0.97)
      expect(odd).toEqual([])
    },
  )
})

describe('the heads that follow speech', () => {
  it('are found on other clips, stand in config.json, and are of the graphs', async () => {
    const { decoder } = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'))
    const chosen = chooseHeads(heard)
    expect(chosen?.hits).toBeGreaterThan(0.85)
    expect(chosen?.error).toBeLessThan(0.05)
    expect(decoder.alignment.heads).toEqual(chosen?.heads.map(({ layer, head }) => [layer, head]))
    expect(decoder.alignment.detected.edges).toBe(356)
    expect(decoder.fused.outputs.alignment.shape).toEqual(['B', 'K', 'C + S'])
  })

  it('are none where attention says nothing', () => {
    const deaf = heard.map((clip) => ({
      ...clip,
      heads: clip.heads.map((heads) =>
        heads.map((rows) => rows.map(({ length }) => new Float32Array(length).fill(1 / length))),
      ),
    }))
    expect(chooseHeads(deaf)).toBeUndefined()
    expect(chooseHeads([])).toBeUndefined()
  })
})

it('what the output costs is measured against graphs that lack it', async () => {
  const { parts } = await alignmentCost(model, 'int4', 1, 2)
  expect(parts.map(({ name }) => name)).toEqual([
    '11 s, a prompt',
    '11 s, a step',
    '35 s, a prompt',
    '35 s, a step',
  ])
  expect(parts.every(({ without, together }) => without > 0 && together > 0)).toBe(true)
  expect((await readdir(dirname(model))).filter((name) => name.startsWith('.without-'))).toEqual([])
  await expect(alignmentCost(join(model, '.work', 'export'), 'fp32', 1, 1)).rejects.toThrow(
    'does not have the output alignment.',
  )
})
