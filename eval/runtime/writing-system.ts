// SPDX-License-Identifier: Apache-2.0

/*
 * Which characters belong to writing without spaces between words, by Script_Extensions (Unicode Standard Annex #24).
 * The long vowel mark and East Asian punctuation have the script Common, but extensions that say where they are used.
 */

/** With the punctuation of East Asian width that has no script of its own, and planes 2 and 3, which are for Han alone. */
const EAST_ASIAN =
  '\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}\\p{scx=Bopomofo}\\p{scx=Yi}\\u3000-\\u303f' +
  '\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65\\u{20000}-\\u{3fffd}'
/** Scripts whose words only a dictionary can separate. */
const SOUTH_EAST_ASIAN =
  '\\p{scx=Thai}\\p{scx=Lao}\\p{scx=Khmer}\\p{scx=Myanmar}\\p{scx=Tai_Le}\\p{scx=New_Tai_Lue}\\p{scx=Tai_Tham}'
/** What may stand beside both kinds of writing: marks on a letter, invisible characters, quotes, dashes, dots. */
const NEUTRAL = '[\\p{M}\\p{Cf}\\p{Pi}\\p{Pf}\\p{Pd}"\'…‥·]*'

const UNSPACED = `[${EAST_ASIAN}${SOUTH_EAST_ASIAN}]`
const endsUnspaced = new RegExp(`${UNSPACED}[\\p{M}\\p{Cf}]*$`, 'u')
const beginsUnspaced = new RegExp(`^${UNSPACED}`, 'u')
const endsNear = new RegExp(`${UNSPACED}${NEUTRAL}$`, 'u')
const beginsNear = new RegExp(`^${NEUTRAL}${UNSPACED}`, 'u')

/** As much of a text as decides how another is joined to it, in UTF-16 units. */
export const JOINT = 32

/** Whether two texts of one recording follow one another without a space. */
export function touches(before: string, after: string): boolean {
  return endsNear.test(before.slice(-JOINT)) && beginsNear.test(after.slice(0, JOINT))
}

/** Whether one of two neighbours belongs to writing without spaces, so that a line may break between them. */
export function isUnspaced(before: string, after: string): boolean {
  return endsUnspaced.test(before.slice(-JOINT)) || beginsUnspaced.test(after)
}
