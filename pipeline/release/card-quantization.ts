// SPDX-License-Identifier: Apache-2.0

import { EMBEDDINGS, ENCODER, graphFile, quantizedTable } from '../../eval/runtime/graphs.ts'
import type { Recipe } from '../recipe-schema.ts'
import { encoderTags, needsCalibration, recipeTag } from '../recipes.ts'
import { VARIANTS } from '../variants.ts'
import type { Card, CardKind } from './card-kind.ts'
import { asMade, choiceText } from './encoder-choice.ts'
import type { Provenance } from './provenance.ts'
import { MANIFEST } from './release-files.ts'

/* What a model card says of how the weights of variants were made. */

/** None where nothing is quantized. */
export function quantizationSection(
  { evidence: { provenance }, variants }: Card,
  { prefillNote }: Pick<CardKind, 'prefillNote'>,
): string[] {
  const { recipes, options, calibration, chosen = {}, encoders = {} } = provenance
  const made = variants.flatMap((name) => (recipes[name] ? [[name, recipes[name]] as const] : []))
  if (made.length === 0) return []
  const notes = made.flatMap(([name, { prompts }]) => (prompts === 'int8' ? [prefillNote(name)] : []))
  const list = made.map(([name, recipe]) => {
    const choice = encoders[name]
    const tags = encoderTags(asMade(recipe, choice), options.accuracyLevel)
    const file = `\`${graphFile(ENCODER, name)}\``
    const encoder = tags ? `${file}: ${tags}` : `${file} is the FP32 encoder under this variant's name`
    const table = recipe.embeddings === undefined ? '' : tableNote(name)
    return `- \`${name}\` (${VARIANTS[name]?.about}): ${recipeTag(recipe, options.accuracyLevel)}. ${encoder}.${choice ? ` ${choiceText(choice)}` : ''}${table}`
  })
  return [
    `## Quantization

${list.join('\n')}
${made.every(([, { embeddings }]) => embeddings !== undefined) ? '' : `\n\`${EMBEDDINGS}\` is FP16.`}${notes.join('')}${chosenNotes(
  chosen,
  made.map(([name]) => name),
)}${calibrationNote(calibration, made)}`,
  ]
}

function tableNote(variant: string): string {
  const table = `\`${quantizedTable(variant)}\``
  return ` The variant has the fused layout only, and needs no \`${EMBEDDINGS}\`: the output layer is the embedding table too, and ${table} says how to read its rows.`
}

/** Which weights an `auto` rule took. */
function chosenNotes(chosen: NonNullable<Provenance['chosen']>, variants: readonly string[]): string {
  return variants
    .flatMap((variant) => {
      const formats = Object.entries(chosen[variant] ?? {})
      const counts = new Map<string, number>()
      for (const [, format] of formats) counts.set(format, (counts.get(format) ?? 0) + 1)
      const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? []
      const others = formats.filter(([, format]) => format !== most)
      if (most === undefined || others.length === 0) return []
      const list = others.map(([name, format]) => `\`${name}\` ${format}`).join(', ')
      return [`\n\nThe calibration chose for ${variant}: ${list}; all others ${most}.`]
    })
    .join('')
}

/** What people must know before they measure: speech that chose the weights cannot judge them. */
function calibrationNote(
  calibration: Provenance['calibration'],
  made: readonly (readonly [string, Recipe])[],
): string {
  const variants = made.filter(([, recipe]) => needsCalibration(recipe)).map(([name]) => name)
  if (calibration === undefined || variants.length === 0) return ''
  const { dataset, clips, positions, versions } = calibration
  const seconds = clips.reduce((sum, clip) => sum + clip.seconds, 0)
  const { repo, name, isBundled } = dataset
  const named =
    isBundled === true
      ? 'synthetic English speech (espeak-ng) that ships with the project'
      : `the dataset ${typeof repo === 'string' ? repo : name}`
  const tools = Object.entries(versions).map((pair) => pair.join(' '))
  return `

${variants.join(', ')} ${variants.length === 1 ? 'was' : 'were'} calibrated on ${clips.length} recordings of ${named} (${seconds.toFixed(0)} s; ${positions} tokens of prompts and of
FP32's own answers; ${tools.join(', ')}), none of which was used to judge the release. \`${MANIFEST}\` lists them with the sha256 of their samples.`
}
