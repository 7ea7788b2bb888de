// SPDX-License-Identifier: Apache-2.0

import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { UtteranceRecord } from '../../eval/record.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { hashSamples } from '../../eval/runtime/audio/sample-hash.ts'
import { openAudio } from '../../eval/runtime/opened-audio.ts'
import { calibratedNotes } from '../../pipeline/evaluate/calibrated-clips.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import type { Recipe } from '../../pipeline/recipe-schema.ts'
import { requireApart } from '../../pipeline/release/evidence.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const record: UtteranceRecord = {
  ...{
    kind: 'utterance',
    dataset: 'meetings',
    system: 'a',
    setting: 's',
    machine: 'm',
    id: 'talk-1',
    row: 0,
    key: 'k',
  },
  ...{ reference: 'yes', seconds: 1, samples: 'abc', text: 'yes', compute: 0.1, pieces: [] },
}
const calibration = {
  ...{ dataset: { name: 'calls' }, positions: 9, versions: {} },
  clips: [{ id: 'call-7', sha256: 'abc', seconds: 1 }],
}
const gptq: Recipe = { decoder: [['*', 'q4b64']], solver: 'gptq' }
const recipes = { int4: { decoder: [['*', 'q4b64']] } satisfies Recipe, 'int4-hq': gptq }
const check = (
  samples: string | undefined,
  variants: string[],
  known: typeof calibration | undefined = calibration,
) => {
  const { samples: _, ...older } = record
  const own = samples === undefined ? older : { ...record, samples }
  requireApart('runs/1', [own], { recipes, ...(known && { calibration: known }) }, { variants })
}

it('an evaluation of speech that a variant was calibrated on is refused with exit code 3', () => {
  expect(() => check('abc', ['fp32', 'int4', 'int4-hq'])).toThrowError(
    expect.objectContaining({
      message:
        'The evaluation in runs/1 measured talk-1 of meetings, which int4-hq was calibrated on (call-7).',
      exitCode: 3,
    }),
  )
})

it('other speech and variants without calibration are taken', () => {
  check('def', ['int4-hq'])
  check('abc', ['fp32', 'int4'])
  check(undefined, ['fp32', 'int4'])
  expect(() => check('abc', ['int4-hq'])).toThrow()
})

it('results of older versions, which do not have the hash of the audio, are refused where a variant was calibrated', () => {
  expect(() => check(undefined, ['int4-hq'])).toThrowError(
    expect.objectContaining({
      message:
        'The evaluation in runs/1 does not say which samples talk-1 of meetings has, so nothing shows that no variant was calibrated on it.',
      hint: 'An older version made it. Measure again with another --output.',
      exitCode: 3,
    }),
  )
})

it('what is read in pieces has the hash of the whole', async () => {
  const path = join(BUNDLED_SPEECH, 'held-out-022.flac')
  const audio = await openAudio({ path }, 1)
  let pieces = 0
  for await (const _ of audio.cuts) pieces++
  expect(pieces).toBeGreaterThan(1)
  expect(audio.sha256()).toBe(await hashSamples((await loadClip(path)).samples))
})

it('evaluate says which of its figures are of speech that chose the weights', async () => {
  const folder = await temporaryFolder()
  await mkdir(join(folder, '.work'))
  const file = join(folder, '.work', 'provenance.json')
  const models = ['int4', 'int4-hq'].map((variant) => ({ name: `my ${variant}`, folder, variant }))
  const records = models.flatMap(({ name }) => [
    { ...record, system: name },
    { ...record, system: name, id: 'talk-2', samples: 'def' },
  ])
  expect(await calibratedNotes(models, records)).toEqual([])
  await writeFile(file, JSON.stringify({ recipes, calibration, model: 'mine' }))
  expect(await calibratedNotes(models, records)).toEqual([
    'my int4-hq was calibrated on 1 of these recordings, first talk-1 of meetings: its figures are too good, and package refuses them.',
  ])
  await rename(file, join(folder, 'manifest.json')) // an unpacked release
  expect(await calibratedNotes(models, records)).toHaveLength(1)
})
