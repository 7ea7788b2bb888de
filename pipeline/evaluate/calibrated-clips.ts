// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import * as v from 'valibot'
import { readOwn } from '../../eval/checked-json.ts'
import type { ResultRecord, UtteranceRecord } from '../../eval/record.ts'
import { dictionary, list, section, text } from '../../eval/runtime/schema.ts'
import { RECIPE } from '../recipe-schema.ts'
import { needsCalibration } from '../recipes.ts'

/* Utterances that a variant was calibrated on. */

/** What a model directory, or an unpacked release, says of the speech that its variants were calibrated on. */
const SOURCE = section({
  recipes: v.optional(dictionary(RECIPE)),
  calibration: v.optional(section({ clips: list(section({ id: text, sha256: text })) })),
})

interface Measured {
  readonly name: string
  readonly folder: string
  readonly variant: string
}

/**
 * Sentences about variants whose weights were chosen by speech that they were measured on: such figures are too good.
 * @param records of all systems, of which those of `models` are looked at
 */
export async function calibratedNotes(
  models: readonly Measured[],
  records: readonly ResultRecord[],
): Promise<string[]> {
  const notes: string[] = []
  for (const { name, folder, variant } of models) {
    const calibrated = recordsOf(records, await calibrationOf(folder, variant))
    const known = calibrated.filter(({ system }) => system === name)
    const [first] = known
    if (!first) continue
    notes.push(
      `${name} was calibrated on ${known.length} of these recordings, first ${first.id} of ${first.dataset}: its figures are too good, and package refuses them.`,
    )
  }
  return notes
}

/** The results of utterances that a calibration has, too. @param clips anything by the hash of its samples */
export function recordsOf(
  records: readonly ResultRecord[],
  clips: { has(sha256: string): boolean },
): UtteranceRecord[] {
  return records.filter(
    (record): record is UtteranceRecord => record.kind === 'utterance' && clips.has(record.samples ?? ''),
  )
}

/** Hashes of samples. */
async function calibrationOf(folder: string, variant: string): Promise<ReadonlySet<string>> {
  for (const file of [join(folder, '.work', 'provenance.json'), join(folder, 'manifest.json')]) {
    const found = await readOwn(SOURCE, file)
    const recipe = found?.recipes?.[variant]
    if (found?.calibration && recipe && needsCalibration(recipe))
      return new Set(found.calibration.clips.map(({ sha256 }) => sha256))
  }
  return new Set()
}
