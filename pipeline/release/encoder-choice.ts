// SPDX-License-Identifier: Apache-2.0

import type { Recipe, Rule } from '../recipe-schema.ts'
import type { EncoderChoice } from './encoder-schema.ts'

/* An encoder that was made by the first rules of its recipe that lose little enough, in words. */

type Tried = EncoderChoice['tried'][number]

/** A recipe with the rules that its encoder was made by. */
export function asMade<Own extends Recipe | undefined>(recipe: Own, choice: EncoderChoice | undefined): Own {
  return recipe && choice ? { ...recipe, encoder: choice.rules } : recipe
}

/** What the encoder loses, and what rules before lost too much. */
export function choiceText({ tried, limits }: EncoderChoice): string {
  const [taken, ...failed] = tried.toReversed()
  const others = failed.toReversed().map((one) => `${rulesText(one.rules)} (${lossText(one)})`)
  const before = others.length === 0 ? '' : ` It is not ${others.join(' and not ')}, which loses too much.`
  const own = taken === undefined ? 'no figures' : lossText(taken)
  return `On the calibration it has ${own}; the limits are ${limits.cosine} and ${limits.kld}.${before}`
}

/** Of rules that lose too much: behind "is not". */
export function failedText(one: Tried, { limits }: EncoderChoice): string {
  return `${rulesText(one.rules)}: ${lossText(one)}, wanted at least ${limits.cosine}, and at most ${limits.kld}.`
}

function lossText({ cosine, kld }: Tried): string {
  const nats = kld === undefined ? 'no finite KLD' : `a KLD of ${kld.toPrecision(2)} nats`
  return `a cosine of ${cosine.toFixed(4)} for 99 % of the features, ${nats}`
}

/** `* i8` */
export function rulesText(rules: readonly Rule[]): string {
  return `\`${rules.map(([selector, format]) => `${selector} ${format}`).join(', ')}\``
}
