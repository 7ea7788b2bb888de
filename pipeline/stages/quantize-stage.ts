// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ENCODER, FP32, graphFile } from '../../eval/runtime/graphs.ts'
import { readAlignment } from '../alignment/alignment-file.ts'
import { quantizeVariant, requireFit } from '../quantize/quantize-variant.ts'
import type { Recipe } from '../recipe-schema.ts'
import { isChosen } from '../recipes.ts'
import { failedText } from '../release/encoder-choice.ts'
import type { EncoderChoice } from '../release/encoder-schema.ts'
import { writeProvenance } from '../release/provenance.ts'
import { decoderFiles, recipeOf, VARIANT_NAMES } from '../variants.ts'
import { pythonOptions } from './export-stage.ts'
import { filesOf, isMade, madeOf, markMade } from './made-variants.ts'
import { calibrationInputs, ownCalibration } from './own-calibration.ts'
import { writeOwnConfig } from './own-config.ts'
import type { Run, Stage } from './stage.ts'

/** Every variant's decoders by its recipe, shared again natively; the encoder under the variant's name; config.json. */
export const quantizeStage: Stage = {
  name: 'quantize',
  async inputs(run) {
    const { base, flag, options } = run
    const recipes = options.variants.map((name) => [name, recipeOf(name, options)])
    const { accuracyLevel, providers } = options
    return { base, flag, ...(await calibrationInputs(run)), options: { accuracyLevel, recipes, providers } }
  },
  outputs: ({ paths, options }) =>
    [...quantized(options).flatMap((variant) => filesOf(variant, options)), 'config.json'].map((name) =>
      join(paths.model, name),
    ),
  async keeps(run) {
    const kept: string[] = []
    for (const variant of quantized(run.options))
      if (await isMade(run, variant)) kept.push(...filesOf(variant, run.options))
    return kept.map((name) => join(run.paths.model, name))
  },
  async run(run) {
    const { model, work } = run.paths
    await removeOthers(run)
    const alignment = run.options.skipDecoder ? undefined : await readAlignment(work)
    await writeOwnConfig(run, run.options.variants, { alignment }) // FP32 can be run then: recipes may be calibrated with it
    const making = {
      ...{ from: model, to: model, work: join(work, 'quantize'), emit: run.emit, signal: run.signal },
      family: run.options.family,
      python: await pythonOptions(run, 'quantize'),
    }
    const wanted: (readonly [string, Recipe])[] = []
    for (const variant of quantized(run.options)) {
      const recipe = recipeOf(variant, run.options)
      if (recipe && !(await isMade(run, variant))) wanted.push([variant, recipe])
      else run.emit({ event: 'note', text: `${variant} is there already` })
    }
    for (const [variant, recipe] of wanted) await requireFit(making, variant, recipe, run.options)
    const calibration = await ownCalibration(run)
    const options = { ...run.options, calibration: calibration?.folder }
    for (const [variant, recipe] of wanted)
      await markMade(run, variant, await quantizeVariant(making, variant, recipe, options))
    const encoders = await chosenEncoders(run)
    await writeOwnConfig(run, run.options.variants, { encoders, alignment })
    await writeProvenance(run, {
      ...(calibration && { calibration: calibration.index }),
      chosen: await chosenFormats(run),
      encoders,
    })
  },
}

/** By which rules encoders were made, of recipes that have several. */
async function chosenEncoders(run: Run): Promise<Record<string, EncoderChoice>> {
  const choices: Record<string, EncoderChoice> = {}
  for (const variant of quantized(run.options)) {
    const { encoderChoice } = await madeOf(run, variant)
    if (!recipeOf(variant, run.options)?.encoderFallback || !encoderChoice) continue
    choices[variant] = encoderChoice
    const failed = encoderChoice.tried.slice(0, -1)
    for (const one of failed)
      run.emit({
        event: 'note',
        text: `${graphFile(ENCODER, variant)} is not ${failedText(one, encoderChoice)}`,
      })
  }
  return choices
}

/** What recipes with `auto` chose, by variant and weight. */
async function chosenFormats(run: Run): Promise<Record<string, Readonly<Record<string, string>>>> {
  const chosen: Record<string, Readonly<Record<string, string>>> = {}
  for (const variant of quantized(run.options)) {
    const recipe = recipeOf(variant, run.options)
    if (recipe && isChosen(recipe)) chosen[variant] = (await madeOf(run, variant)).formats
  }
  return chosen
}

function quantized({ variants }: Pick<Run['options'], 'variants'>): string[] {
  return variants.filter((name) => name !== FP32)
}

/** Variants of an earlier run that are not wanted now would pass for a part of this model. */
async function removeOthers({ options, paths }: Run): Promise<void> {
  const kept = options.variants.flatMap((name) => decoderFiles(name, options))
  const all = VARIANT_NAMES.flatMap((name) =>
    decoderFiles(name, { family: options.family, prefillInt8: true }),
  )
  const encoders = VARIANT_NAMES.filter((name) => !options.variants.includes(name) && name !== FP32)
  const others = [
    ...all.filter((file) => !kept.includes(file)),
    ...encoders.map((name) => graphFile(ENCODER, name)),
  ].filter((file) => !decoderFiles(FP32, options).includes(file))
  for (const file of others) await rm(join(paths.model, file), { force: true })
}
