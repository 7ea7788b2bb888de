// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { fingerprintFiles, variantFilesOf } from '../evaluate/fingerprint.ts'
import type { CalibrationIndex } from './calibration-index.ts'

/* The folder of a calibration. */

/** Of clip files and keys: with another, calibrations that are there are made again. */
const FORMAT = 3

/** Where a calibration is kept. */
export interface CalibrationPlace {
  readonly folder: string
  /** of model, versions and clips */
  readonly key: string
  /** the beginning of the key, of model and versions alone */
  readonly modelKey: string
}

/** The folder of a calibration: one for each model, these versions, and clips in order. */
export async function calibrationPlace(
  { model, work }: { readonly model: string; readonly work: string },
  speech: readonly { readonly sha256: string }[],
  versions: Readonly<Record<string, string>>,
): Promise<CalibrationPlace> {
  const { paths } = await variantFilesOf(model, FP32)
  const modelKey = keyOf({ format: FORMAT, fp32: await fingerprintFiles(paths, work), versions })
  const key = `${modelKey}-${keyOf(speech.map(({ sha256 }) => sha256))}`
  return { folder: join(work, 'calibration', key), key, modelKey }
}

function keyOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)
}

/** Delete those of another model or other versions: hundreds of megabytes that nothing reads again. */
export async function removeStale({ folder, modelKey }: CalibrationPlace): Promise<void> {
  const parent = dirname(folder)
  const names = await readdir(parent).catch(() => [])
  for (const name of names)
    if (!name.startsWith(`${modelKey}-`)) await rm(join(parent, name), { recursive: true, force: true })
}

/** Bytes of hidden states that are not there yet, of all layers: the largest part of a calibration. */
export async function missingStates(
  model: string,
  folder: string,
  { positions }: Pick<CalibrationIndex, 'positions'>,
): Promise<number> {
  const { hiddenSize, cache } = (await openRelease(model)).config
  const each = positions * hiddenSize * Float32Array.BYTES_PER_ELEMENT
  const hidden = join(folder, 'hidden')
  const names = (await readdir(hidden).catch(() => [])).filter((name) => name.endsWith('.f32'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(hidden, name))).size))
  return each * (cache.layers + 1 - sizes.filter((size) => size === each).length)
}
