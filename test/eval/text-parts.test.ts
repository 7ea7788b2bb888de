import { expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { comparable, matchUnits } from '../../eval/runtime/aligner/match-units.ts'
import { textParts } from '../../eval/runtime/aligner/text-parts.ts'
import { cutAt } from '../../eval/runtime/audio/pieces.ts'
import { alignWords } from '../../eval/wer.ts'

const words = (text: string) => text.split(' ')
const pieces = (...texts: string[]) =>
  texts.map((text, i) => ({ start: 5 * i, end: 5 * i + 5, spoken: text === '' ? [] : words(text) }))

it('matches as many units as the minimum-edit alignment of words, halved or not', () => {
  const random = seededRandom(4)
  const list = (count: number) => Array.from({ length: count }, () => `${Math.floor(300 * random())}`)
  const text = list(3000)
  const heard = text.flatMap((word) => (random() < 0.1 ? list(Math.floor(3 * random())) : [word]))
  const operations = alignWords(text, heard)
  const distance = operations.filter((each) => each !== 'h').length
  const found = matchUnits(text, heard)
  let [cost, last] = [0, [-1, -1]]
  for (const [i, j] of [...found.entries(), [text.length, heard.length] as const]) {
    if (j < 0) continue
    expect(i === text.length || text[i] === heard[j]).toBe(true)
    cost += Math.max(i - (last[0] as number), j - (last[1] as number)) - 1
    last = [i, j]
  }
  expect(cost).toBe(distance)
})

it('compares writing without spaces by characters, and no case', () => {
  expect(comparable('ＡＢc')).toEqual(['abc'])
  expect(comparable('今日')).toEqual(['今', '日'])
})

it('cuts where both sides are equal, and as late as that goes', () => {
  const heard = pieces('one two three', 'four five sax', 'seven eight', 'nine ten')
  const { parts, warnings } = textParts(words('one two three four five six seven eight nine ten'), heard, 10)
  expect(parts.map(({ start, end, from, to }) => [start, end, from, to])).toEqual([
    [0, 5, 0, 3],
    [5, 15, 3, 8],
    [15, 20, 8, 10],
  ])
  expect(warnings).toEqual([])
})

it('says where the text was not said, and where more was said', () => {
  const lost = 'a b c d e f g h'
  const missing = textParts(
    words(`one two three ${lost} four five six`),
    pieces('one two three', 'four five six'),
    10,
  )
  expect(missing.parts).toEqual([{ start: 0, end: 10, from: 0, to: 14, unsaid: [[3, 11]] }])
  expect(missing.warnings).toEqual([
    'from 0 to 10 s 8 words of the text were not heard: they have no length.',
  ])
  const more = textParts(words('one two three'), pieces('one two three', 'what is this here'), 10)
  expect(more.warnings).toEqual(['from 5 to 10 s 4 of 4 words that were heard are not in the text.'])
})

it('cuts silence and texts without a match, and gives every unit to one part', () => {
  for (const heard of [pieces('', '', ''), pieces('x y', 'z', 'w')]) {
    const { parts } = textParts(words('one two three four'), heard, 5)
    expect(parts.map(({ start, end }) => [start, end])).toEqual([
      [0, 5],
      [5, 10],
      [10, 15],
    ])
    expect(parts.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual([
      0, 1, 2, 3,
    ])
  }
})

it('cuts samples at the places that are named, whatever their blocks', async () => {
  const found: number[][] = []
  for await (const piece of cutAt([Float32Array.of(0, 1, 2), Float32Array.of(3, 4, 5, 6)], [2, 3, 7]))
    found.push([...piece])
  expect(found).toEqual([[0, 1], [2], [3, 4, 5, 6]])
})
