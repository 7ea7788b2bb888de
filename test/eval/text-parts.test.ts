// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { editDistances } from '../../eval/runtime/aligner/edit-distances.ts'
import { heardPiece } from '../../eval/runtime/aligner/heard-piece.ts'
import { comparable, matchUnits } from '../../eval/runtime/aligner/match-units.ts'
import { textParts } from '../../eval/runtime/aligner/text-parts.ts'
import { cutAt } from '../../eval/runtime/audio/pieces.ts'
import { alignWords } from '../../eval/wer.ts'

const words = (text: string) => text.split(' ')
/** Pieces of 5 s, one word after the other in each. */
const pieces = (...texts: string[]) =>
  texts.map((text, i) => ({
    ...{ start: 5 * i, end: 5 * i + 5 },
    units: (text === '' ? [] : words(text)).map((spoken, k, { length }) => ({
      ...{ spoken, start: 5 * i + (5 * k) / length, end: 5 * i + (5 * (k + 1)) / length },
    })),
  }))
const ints = (list: readonly string[]) => Int32Array.from(list, Number)
/** A text of `count` numbers below `size`, and what is left of it after edits. */
function edited(count: number, size: number, share: number, seed: number) {
  const random = seededRandom(seed)
  const list = (length: number) => Array.from({ length }, () => `${Math.floor(size * random())}`)
  const text = list(count)
  return {
    text,
    heard: text.flatMap((word) => (random() < share ? list(Math.floor(3 * random())) : [word])),
  }
}

/** Errors of an alignment that has these matches, and checks that they are of equal words and ascend. */
function costOf(text: readonly string[], heard: readonly string[], matches: Int32Array): number {
  let [cost, before, other] = [0, -1, -1]
  for (const [i, j] of [...matches.entries(), [text.length, heard.length] as const]) {
    if (j < 0) continue
    expect(i === text.length || text[i] === heard[j]).toBe(true)
    expect(j).toBeGreaterThan(other)
    cost += Math.max(i - before, j - other) - 1
    ;[before, other] = [i, j]
  }
  return cost
}

it('computes the edit distances from all beginnings of a list', () => {
  for (let seed = 0; seed < 40; seed++) {
    const { text, heard } = edited(seed * 3, 2 + seed, 0.3, seed)
    const distances = editDistances(ints(text), ints(heard))
    for (const [n, distance] of distances.entries()) {
      if (n % 7 > 0 && n < heard.length) continue
      const errors = alignWords(text, heard.slice(0, n)).filter((each) => each !== 'h')
      expect(distance).toBe(errors.length)
    }
  }
})

it('matches as many units as the minimum-edit alignment of words, halved or not', () => {
  for (const [count, size, share] of [
    [3000, 300, 0.1],
    [2000, 5, 0.4],
    [40, 4, 0.5],
  ] as const) {
    const { text, heard } = edited(count, size, share, 4)
    const errors = alignWords(text, heard).filter((each) => each !== 'h')
    const { all, sure } = matchUnits(text, heard)
    expect(costOf(text, heard, all)).toBe(errors.length)
    costOf(text, heard, sure) // which ascend
  }
})

it('matches 30,000 words in a second or two', () => {
  const { text, heard } = edited(30_000, 3000, 0.3, 5)
  const start = performance.now()
  const { all } = matchUnits(text, heard)
  expect(performance.now() - start).toBeLessThan(10_000)
  expect(costOf(text, heard, all)).toBe(editDistances(ints(text), ints(heard)).at(-1))
})

it('takes what adjoins, where a recording continues after the text', () => {
  const text = words('a b c d')
  expect([...matchUnits(text, words('a b c d e f b d')).sure]).toEqual([0, 1, 2, 3])
  expect([...matchUnits(text, words('a e c f a b c d')).sure]).toEqual([4, 5, 6, 7])
  const { parts } = textParts(text, pieces('a b c d', 'e f g h', 'i j k d'), 5)
  expect(parts.map(({ to, isGuess }) => [to, isGuess])).toEqual([
    [4, false],
    [4, false],
    [4, false],
  ])
})

it('is not sure which of equal words was recognized', () => {
  const { all, sure } = matchUnits(words('a b c x a b c d'), words('a b c d'))
  expect(all.filter((at) => at >= 0)).toHaveLength(4)
  expect([...sure]).toEqual([-1, -1, -1, -1, 0, 1, 2, 3])
  const once = matchUnits(words('x a b a b y'), words('x a b y'))
  expect([...once.sure]).toEqual([0, -1, -1, -1, -1, 3])
  const twice = matchUnits(words('x a y'), words('x a a y'))
  expect([...twice.sure]).toEqual([0, -1, 3])
})

it('shares out the time of the speech where a recognizer has none of words', () => {
  const piece = { start: 10, text: 'One, two', speech: { start: 1, end: 3 } }
  const [one, two] = [
    { spoken: 'One', start: 11, end: 12 },
    { spoken: 'two', start: 12, end: 13 },
  ]
  expect(heardPiece(piece, 15)).toEqual({ start: 10, end: 15, units: [one, two] })
  const timed = [
    { text: 'One,', start: 11.2, end: 11.4 },
    { text: '二三', start: 12, end: 13 },
  ]
  expect(heardPiece({ ...piece, words: timed }, 15).units).toEqual([
    { spoken: 'One', start: 11.2, end: 11.4 },
    { spoken: '二', start: 12, end: 12.5 },
    { spoken: '三', start: 12.5, end: 13 },
  ])
})

it('compares writing without spaces by characters, and no case', () => {
  expect(comparable('ＡＢc')).toEqual(['abc'])
  expect(comparable('今日')).toEqual(['今', '日'])
})

const bounds = ({ parts }: ReturnType<typeof textParts>) =>
  parts.map(({ start, end, from, to }) => [start, end, from, to])

it('cuts where both sides are equal, and as late as that goes', () => {
  const heard = pieces('one two three', 'four five sax', 'seven eight', 'nine ten')
  const found = textParts(words('one two three four five six seven eight nine ten'), heard, 10)
  expect(bounds(found)).toEqual([
    [0, 5, 0, 3],
    [5, 15, 3, 8],
    [15, 20, 8, 10],
  ])
  expect(found.warnings).toEqual([])
})

it('cuts where more units in a row are equal, rather than later', () => {
  const heard = pieces('a b c d', 'e f g h sax', 'j k yes', 'z')
  const found = textParts(words('a b c d e f g h i j k l'), heard, 10)
  expect(bounds(found)[0]).toEqual([0, 5, 0, 4])
})

it('cuts between equal units, whatever else was recognized there', () => {
  const found = textParts(words('a b c d e f'), pieces('a b c er', 'um d e f', ''), 5)
  expect(bounds(found).slice(0, 1)).toEqual([[0, 5, 0, 3]])
  expect(found.warnings).toEqual([])
})

it('compares Japanese by characters, and cuts no unit', () => {
  const text = ['今日', 'は', '食べ', 'られ', 'ませ', 'ん']
  const whole = textParts(text, pieces('今 日は', '食 べら れ ま せん'), 5)
  expect(bounds(whole)[0]).toEqual([0, 5, 0, 2])
  expect(whole.warnings).toEqual([])
  const inside = textParts(text, pieces('今 日は 食 べら', 'れ ま せん'), 5)
  expect(inside.parts[0]).toMatchObject({ to: 3, isGuess: true })
})

it('shares out by time what was not recognized around a cut, and says that it is a guess', () => {
  // from 2.5 to 9.375 s nothing of p, q, r and s was heard
  const heard = pieces('a b', 'x x x x x x x c')
  const found = textParts(words('a p q r s c'), [heard[0] as never, heard[1] as never], 5)
  expect(bounds(found)).toEqual([
    [0, 5, 0, 2],
    [5, 10, 2, 6],
  ])
  expect(found.warnings[0]).toBe(
    'at 5 s what was recognized differs from the text, so that the text was cut by guess.',
  )
})

it('does not take a refrain that was missed for the next one', () => {
  const refrain = 'la li lo lu'
  const text = words(`${refrain} ${refrain} end of song`)
  const { parts, warnings } = textParts(text, pieces('', `${refrain} end of song`), 5)
  expect(parts.map(({ isGuess }) => isGuess)).toEqual([true, false])
  expect(warnings[0]).toMatch(/^at 5 s .* cut by guess\.$/)
})

it('says where the text was not said, and where more was said', () => {
  const lost = 'a b c d e f g h'
  const text = words(`one two three ${lost} four five six`)
  const missing = textParts(text, pieces('one two three', 'four five six'), 10)
  expect(missing.parts).toEqual([{ start: 0, end: 10, from: 0, to: 14, unsaid: [[3, 11]], isGuess: false }])
  expect(missing.warnings).toEqual([
    'from 0 to 10 s 8 words of the text were not recognized: they have no length.',
  ])
  const cut = textParts(text, pieces('one two three', 'four five six'), 5)
  expect(cut.parts.map(({ isGuess }) => isGuess)).toEqual([false, false]) // whatever side they are laid to
  const more = textParts(words('one two three'), pieces('one two three', 'what is this here then'), 10)
  expect(more.warnings).toEqual(['from 5 to 10 s 5 words were recognized that are not in the text.'])
})

it('believes that a few words were not said where there was no time for them', () => {
  const text = words('a b p q r s c d')
  const soon = textParts(text, pieces('a b c d'), 5)
  expect(soon.parts[0]?.unsaid).toEqual([[2, 6]])
  const late = textParts(
    text,
    pieces('a b', 'c d').map(({ units, ...piece }) => ({
      ...piece,
      units: units.map(({ spoken, start }) => ({ spoken, start, end: start + 0.1 })),
    })),
    10,
  )
  expect(late.parts[0]?.unsaid).toEqual([])
})

it('cuts silence and texts without a match, and gives every unit to one part', () => {
  for (const heard of [pieces('', '', ''), pieces('x y', 'z', 'w')]) {
    const { parts, warnings } = textParts(words('one two three four'), heard, 5)
    expect(parts.map(({ start, end }) => [start, end])).toEqual([
      [0, 5],
      [5, 10],
      [10, 15],
    ])
    expect(parts.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual([
      0, 1, 2, 3,
    ])
    expect(warnings[0]).toBe(
      'at 5, 10 s what was recognized differs from the text, so that the text was cut by guess.',
    )
  }
})

it('warns of a cut that is wrong, however bad the transcript is', () => {
  let [cuts, wrong, guesses] = [0, 0, 0]
  for (let seed = 0; seed < 12; seed++) {
    const random = seededRandom(seed)
    const said = Array.from({ length: 400 }, () => `${Math.floor(40 * random() ** 2)}`)
    const times = said.map((_, i) => 0.4 * i)
    const hears = (word: string, start: number) => {
      const chance = random()
      const heard = { spoken: word, start, end: start + 0.3 }
      if (chance > 0.25) return [heard]
      return chance < 0.1 ? [] : [{ ...heard, spoken: `${Math.floor(40 * random())}` }]
    }
    const heard = Array.from({ length: 32 }, (_, i) => ({
      ...{ start: 5 * i, end: 5 * i + 5 },
      units: said.flatMap((word, k) =>
        Math.floor((times[k] as number) / 5) === i ? hears(word, times[k] as number) : [],
      ),
    }))
    for (const { end, to, isGuess } of textParts(said, heard, 30).parts) {
      const truth = times.filter((time) => time < end).length
      cuts++
      if (isGuess) guesses++
      else if (truth !== to) wrong++
    }
  }
  expect(cuts).toBeGreaterThan(60)
  expect(guesses).toBeLessThan(cuts / 5)
  expect(wrong).toBe(0)
})

it('gives every unit to one part, whatever was recognized', () => {
  for (let seed = 0; seed < 60; seed++) {
    const { text, heard } = edited(120, 6 + seed, 0.3, seed)
    const parted = Array.from({ length: 12 }, (_, i) =>
      heard.slice(i * 10, i === 11 ? undefined : i * 10 + 10),
    )
    const { parts } = textParts(text, pieces(...parted.map((each) => each.join(' '))), 5 + (seed % 13))
    let [at, unit] = [0, 0]
    for (const part of parts) {
      expect([part.start, part.from]).toEqual([at, unit])
      expect(part.to).toBeGreaterThanOrEqual(part.from)
      ;[at, unit] = [part.end, part.to]
    }
    expect([at, unit]).toEqual([60, 120])
  }
})

it('cuts samples at the places that are named, whatever their blocks', async () => {
  const found: number[][] = []
  for await (const piece of cutAt([Float32Array.of(0, 1, 2), Float32Array.of(3, 4, 5, 6)], [2, 3, 7]))
    found.push([...piece])
  expect(found).toEqual([[0, 1], [2], [3, 4, 5, 6]])
})
