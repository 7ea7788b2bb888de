// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { TINY_SHAPE } from '../../pipeline/models.ts'
import { type Format, TINY_CLASSES, writeRandomCheckpoint } from '../../scripts/random-checkpoint.ts'

/** A forced aligner with random weights in the tiny model's shape. @returns its folder */
export async function makeRandomAligner(
  folder: string,
  format: Format = 'native',
  classes = TINY_CLASSES,
): Promise<string> {
  const out = join(folder, `random-aligner-${format}`)
  await writeRandomCheckpoint(out, { shape: { ...TINY_SHAPE, classes }, format, seed: 1, isTiny: true })
  return out
}
