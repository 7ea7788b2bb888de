// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { spelled } from '../../pipeline/lab/trial-recipe.ts'
import type { Recipe, Rule } from '../../pipeline/recipe-schema.ts'
import {
  encoderTags,
  isEncoderCalibrated,
  needsCalibration,
  quantizationTags,
} from '../../pipeline/recipes.ts'
import { asMade, choiceText, failedText } from '../../pipeline/release/encoder-choice.ts'
import type { EncoderChoice } from '../../pipeline/release/encoder-schema.ts'

type Tried = EncoderChoice['tried'][number]

const withEncoder = (...encoder: Rule[]): Recipe => ({ decoder: [['*', 'q4b64']], encoder })

describe("a recipe's encoder", () => {
  it.each([
    [withEncoder(['*', 'i8']), true],
    [withEncoder(['conv_weights.?', 'i8'], ['*', 'f32']), true],
    [withEncoder(['conv_weights.2', 'f32'], ['*', 'i8']), true],
    [withEncoder(['conv_weights.[!3]', 'f32'], ['*', 'i8']), false],
    [withEncoder(['conv_weights.*', 'bf16'], ['*', 'i8']), false],
    [withEncoder(['*', 'q8b64'], ['conv_weights.*', 'i8']), false],
    [withEncoder(['attention', 'i8'], ['mlp', 'i8'], ['convXweights.1', 'i8'], ['*', 'q8b64']), false],
    [{ ...withEncoder(['*', 'q8b64']), encoderFallback: [[['*', 'bf16']]] }, true],
    [{ ...withEncoder(['*', 'q8b64']), encoderSmooth: 'awq:0.5' }, true],
    [{ decoder: [['*', 'i8']] }, false],
  ] satisfies (readonly [Recipe, boolean])[])(
    'needs a calibration for convolutions of int8, and to choose between rules: %j',
    (recipe, needs) => {
      expect(isEncoderCalibrated(recipe)).toBe(needs)
      expect(needsCalibration(recipe)).toBe(needs)
    },
  )

  it('is said in words', () => {
    const rows = 'int8 (7 bits) with a scale for each column, activations uint8 with a scale for each row'
    expect(encoderTags(withEncoder(['*', 'i8']), 4)).toBe(
      `${rows}; activations of int8 convolutions uint8 with scales of a calibration`,
    )
    expect(encoderTags(withEncoder(['conv_weights.*', 'bf16'], ['*', 'i8']), 4)).toBe(
      `conv_weights.*: bfloat16, computed in float32; ${rows}`,
    )
    const smooth = 'smoothquant:0.5'
    expect(encoderTags({ encoder: [['mlp', 'i8']], encoderSmooth: smooth }, 4)).toBe(
      `smoothed (smoothquant:0.5) where channels are large; mlp: ${rows}`,
    )
    expect(encoderTags({ encoder: [['*', 'bf16']], encoderSmooth: smooth }, 4)).toBe(
      'bfloat16, computed in float32',
    )
  })

  it('is another recipe with other fallbacks', () => {
    const recipe = withEncoder(['*', 'i8'])
    expect(spelled({ ...recipe, encoderFallback: [[['*', 'bf16']]] })).not.toBe(spelled(recipe))
    expect(spelled({ ...recipe, encoderSmooth: 'awq:0.5' })).not.toBe(spelled(recipe))
  })
})

describe('an encoder that was chosen', () => {
  const recipe: Recipe = { ...withEncoder(['*', 'i8']), encoderFallback: [[['*', 'q8b64']], [['*', 'bf16']]] }
  const failed: Tried = { rules: [['*', 'i8']], cosine: 0.91234, least: 0.5, mean: 0.99 }
  const taken: Tried = { rules: [['*', 'q8b64']], cosine: 0.99987, least: 0.9, mean: 1, kld: 0.0000213 }
  const choice: EncoderChoice = {
    ...{ rules: taken.rules, tried: [failed, taken] },
    limits: { cosine: 0.99, kld: 0.001 },
  }

  it('is described by the rules that it was made by, in config.json too', () => {
    expect(asMade(recipe, choice)).toEqual({ ...recipe, encoder: [['*', 'q8b64']] })
    expect(asMade(recipe, undefined)).toBe(recipe)
    expect(asMade(undefined, choice)).toBeUndefined()
    expect(quantizationTags(new Map([['x', asMade(recipe, choice)]]), 4)['encoder.x']).toBe(
      'int8 MatMulNBits round-to-nearest, block 64, asymmetric, accuracy level 4',
    )
  })

  it('says what it loses, and what lost too much', () => {
    expect(choiceText(choice)).toBe(
      'On the calibration it has a cosine of 0.9999 for 99 % of the features, a KLD of 0.000021 nats; the limits are 0.99 and 0.001. It is not `* i8` (a cosine of 0.9123 for 99 % of the features, no finite KLD), which loses too much.',
    )
    expect(failedText(failed, choice)).toBe(
      '`* i8`: a cosine of 0.9123 for 99 % of the features, no finite KLD, wanted at least 0.99, and at most 0.001.',
    )
    expect(choiceText({ ...choice, tried: [taken] })).toBe(
      'On the calibration it has a cosine of 0.9999 for 99 % of the features, a KLD of 0.000021 nats; the limits are 0.99 and 0.001.',
    )
  })
})
