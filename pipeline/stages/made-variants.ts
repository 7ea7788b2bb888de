// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import * as v from 'valibot'
import { readOwn } from '../../eval/checked-json.ts'
import { ENCODER, graphFile } from '../../eval/runtime/graphs.ts'
import { dictionary, shape, text } from '../../eval/runtime/schema.ts'
import { identifySources } from '../../eval/sources.ts'
import type { Made } from '../quantize/quantize-variant.ts'
import { needsCalibration } from '../recipes.ts'
import { ENCODER_CHOICE } from '../release/encoder-schema.ts'
import { writeJson } from '../shared/output-files.ts'
import { decoderFiles, recipeOf } from '../variants.ts'
import { calibrationInputs } from './own-calibration.ts'
import type { Run } from './stage.ts'
import { endedWith, fingerprintOf, isCurrent, writeStamp } from './stamp.ts'

/*
 * Which variants the quantize stage has made already. A variant takes minutes, so a run that was stopped, or that makes
 * one variant more, keeps those that it would make again in the same way.
 */

/** Files of a variant that the quantize stage writes, relative to the release directory. */
export function filesOf(variant: string, options: Run['options']): string[] {
  return [
    ...(options.skipEncoder ? [] : [graphFile(ENCODER, variant)]),
    ...(options.skipDecoder ? [] : decoderFiles(variant, options)),
  ]
}

/** Whether a variant's files are what this run would make. */
export async function isMade(run: Run, variant: string): Promise<boolean> {
  if (run.options.force) return false
  return isCurrent(stampOf(run, variant), await fingerprintOfVariant(run, variant), run.paths.model)
}

/** Call when a variant's files are complete. */
export async function markMade(run: Run, variant: string, made: Made): Promise<void> {
  const { model } = run.paths
  await writeJson(madeFile(run, variant), made)
  const outputs = [...filesOf(variant, run.options).map((name) => join(model, name)), madeFile(run, variant)]
  await writeStamp(stampOf(run, variant), await fingerprintOfVariant(run, variant), outputs, model)
}

const MADE = shape({ formats: dictionary(text), encoderChoice: v.exactOptional(ENCODER_CHOICE) })

/** What the recipe of a made variant left open. */
export async function madeOf(run: Run, variant: string): Promise<Made> {
  return (await readOwn(MADE, madeFile(run, variant))) ?? { formats: {} }
}

async function fingerprintOfVariant(run: Run, variant: string): Promise<string> {
  const { base, flag, options, paths } = run
  const recipe = recipeOf(variant, options)
  return fingerprintOf({
    ...{ base, flag, recipe, accuracyLevel: options.accuracyLevel },
    before: await endedWith(paths.stamp('rewrite')),
    code: await identifySources(['pipeline/stages/quantize-stage.ts']),
    ...(recipe && needsCalibration(recipe) && (await calibrationInputs(run))),
  })
}

function stampOf({ paths }: Run, variant: string): string {
  return paths.stamp(`quantize-${variant}`)
}

function madeFile({ paths }: Run, variant: string): string {
  return join(paths.work, 'made', `${variant}.json`)
}
