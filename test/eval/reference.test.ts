// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readReference, readReferenceIndex } from '../../eval/reference.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const HINT = 'PyTorch writes it: run the validation again with --force.'

describe('what PyTorch has dumped', () => {
  it('is read with its arrays, and refused by key where it is damaged', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'index.json')
    await expect(readReferenceIndex(folder)).rejects.toMatchObject({
      message: `${path} is missing.`,
      hint: HINT,
    })
    const mel = { file: 'a.mel', shape: [2, 3] }
    const clip = { id: 'a', prompt_ids: [1, 2], tokens: [3], mel, features: { file: 'a.mel', shape: [6] } }
    const index = { clips: [clip], versions: { torch: '2' } }
    await writeFile(path, JSON.stringify(index))
    await writeFile(join(folder, 'a.mel'), new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer))
    const [entry] = (await readReferenceIndex(folder)).clips
    const read = entry && (await readReference(folder, entry))
    expect(read?.mel).toEqual({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] })
    expect(read).toMatchObject({ id: 'a', promptIds: [1, 2], tokens: [3], logits: undefined })
    for (const [wrong, message] of [
      [{ ...index, clips: {} }, ': clips is {}, wanted an array.'],
      [
        { ...index, clips: [{ ...clip, tokens: [3, null] }] },
        ': clips.0.tokens.1 is null, wanted a whole number',
      ],
      [
        { ...index, clips: [{ ...clip, mel: { file: 'a.mel' } }] },
        ': clips.0.mel.shape is missing, wanted an array.',
      ],
      [{ ...index, versions: undefined }, ': versions is missing, wanted an object.'],
    ] as const) {
      await writeFile(path, JSON.stringify(wrong))
      await expect(readReferenceIndex(folder)).rejects.toMatchObject({
        message: expect.stringContaining(path + message),
        hint: HINT,
      })
    }
  })
})
