// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { readSpeechFolder } from '../../eval/dataset/folder-dataset.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { cutPieces, joinTranscripts, piecesOf, splitPoints } from '../../eval/runtime/audio/pieces.ts'
import { RepetitionGuard, withoutRepeats } from '../../eval/runtime/repetition.ts'
import { tellInOrder } from '../../eval/runtime/tell-in-order.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { seededRandom } from '../helpers/random.ts'

const RATE = 16000

/** Noise as loud as speech, with pauses around the given seconds, 0.4 s long or as long as is said. */
function speech(seconds: number, pauses: readonly (number | readonly [number, number])[]): Float32Array {
  const random = seededRandom(5)
  const samples = Float32Array.from({ length: seconds * RATE }, () => (random(2001) / 1000 - 1) * 0.3)
  for (const pause of pauses) {
    const [middle, length] = typeof pause === 'number' ? [pause, 0.4] : pause
    const [from, to] = [middle - length / 2, middle + length / 2].map((at) => Math.round(at * RATE))
    for (let i = from as number; i < (to as number); i++) samples[i] = (samples[i] as number) / 300
  }
  return samples
}

describe('splitPoints', () => {
  it('leaves what is short enough alone', () => {
    expect(splitPoints(speech(60, []))).toEqual([])
    expect(splitPoints(speech(61, []), Number.POSITIVE_INFINITY)).toEqual([])
    expect(splitPoints(new Float32Array(0))).toEqual([])
    expect(() => splitPoints(new Float32Array(1), 0.5)).toThrow('Pieces of 0.5 s are too short')
  })

  it('makes as few pieces as there can be where there is no pause, and loses no sample', () => {
    for (const samples of [speech(300, []), new Float32Array(300 * RATE)]) {
      const pieces = piecesOf(samples, splitPoints(samples))
      expect(pieces.map(({ length }) => length)).toEqual(new Array(5).fill(60 * RATE))
    }
  })

  it('cuts in the middle of the best pause of the second half', () => {
    // that at 20 s is too early, that at 52 s is shorter
    const found = splitPoints(speech(90, [20, 44, [52, 0.1], 70])).map((point) => point / RATE)
    expect(found).toHaveLength(1)
    expect(Math.abs((found[0] as number) - 44)).toBeLessThan(0.03)
  })

  it('lets a long silence end a piece, not begin one', () => {
    const [point = 0] = splitPoints(speech(70, [[45, 4]]))
    expect(point / RATE).toBeCloseTo(46.5, 1)
  })

  it('leaves no tail without room for a word', () => {
    for (const over of [1, 100, 0.2 * RATE, 0.49 * RATE]) {
      const samples = new Float32Array(60 * RATE + over)
      const [point = 0, ...others] = splitPoints(samples)
      expect(others).toEqual([])
      expect(samples.length - point).toBeGreaterThanOrEqual(0.5 * RATE)
    }
  })
})

/** Spoken sentences in a row, with pauses between them that are known. */
interface Joined {
  readonly samples: Float32Array
  /** where each sentence begins and ends */
  readonly spoken: readonly { readonly from: number; readonly to: number }[]
}

const sentences = await Promise.all(
  (await readSpeechFolder(BUNDLED_SPEECH)).map(async ({ path = '' }) =>
    trimmed((await loadClip(path)).samples),
  ),
)

/** Without what is quiet at its ends. */
function trimmed(samples: Float32Array): Float32Array {
  const level = 0.02 * samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)
  const isLoud = (sample: number) => Math.abs(sample) > level
  return samples.slice(samples.findIndex(isLoud), samples.findLastIndex(isLoud) + 1)
}

/** @param gain of the sentence with this number */
function join(seconds: number, pause: () => number, gain: (i: number) => number): Joined {
  const short = sentences.filter(({ length }) => length < 4.6 * RATE)
  const samples = new Float32Array(Math.round(seconds * RATE))
  const spoken = []
  for (let from = 0, i = 0; from < samples.length; i++) {
    const sentence = (short[(i * 7) % short.length] as Float32Array).subarray(0, samples.length - from)
    for (let k = 0; k < sentence.length; k++) samples[from + k] = gain(i) * (sentence[k] as number)
    spoken.push({ from, to: from + sentence.length })
    from += sentence.length + Math.round(pause() * RATE)
  }
  return { samples, spoken }
}

function add({ samples, spoken }: Joined, sound: (second: number) => number): Joined {
  return { spoken, samples: samples.map((sample, i) => sample + sound(i / RATE)) }
}

const random = seededRandom(9)
const between = (low: number, high: number) => low + (high - low) * (random(1001) / 1000)
const sine = (hertz: number, second: number) => Math.sin(2 * Math.PI * hertz * second)
/** Chords that change and swell. */
const music = (second: number) =>
  0.012 *
  (0.7 + 0.3 * sine(0.6, second)) *
  [1, 1.26, 1.5].reduce(
    (sum, ratio) => sum + sine(([220, 196, 175][Math.floor(second / 1.7) % 3] as number) * ratio, second),
    0,
  )

const even = () => 1
const levels = [1, 0.1, 0.3, 0.05, 0.7]
const uneven = (i: number) => levels[i % levels.length] as number

describe('cutting spoken sentences with pauses of 0.4 s and more every 5 s or less', () => {
  it.each([
    ['in silence', (seconds: number) => join(seconds, () => 0.4, even)],
    ['with pauses of many lengths', (seconds: number) => join(seconds, () => between(0.4, 1.2), even)],
    ['at levels 26 dB apart', (seconds: number) => join(seconds, () => between(0.4, 0.8), uneven)],
    [
      'in noise',
      (seconds: number) =>
        add(
          join(seconds, () => 0.4, even),
          () => between(-0.02, 0.02),
        ),
    ],
    [
      'with an offset, hum of the mains and soft noise',
      (seconds: number) =>
        add(
          join(seconds, () => 0.4, even),
          (at) => 0.1 + 0.02 * sine(50, at) + 0.01 * sine(150, at) + between(-0.001, 0.001),
        ),
    ],
    [
      'with music',
      (seconds: number) =>
        add(
          join(seconds, () => 0.4, even),
          music,
        ),
    ],
  ])('%s, none is cut in speech', (_, make) => {
    for (const [limit, lengths] of [
      [60, [240, 240 - 1 / RATE, 180.3]],
      [15, [150, 150 - 1 / RATE, 105.2]],
    ] as const) {
      for (const seconds of lengths) {
        const { samples, spoken } = make(seconds)
        const points = splitPoints(samples, limit)
        expect(points.length).toBeGreaterThanOrEqual(Math.floor(seconds / limit))
        for (const piece of piecesOf(samples, points)) {
          expect(piece.length).toBeLessThanOrEqual(limit * RATE)
          expect(piece.length).toBeGreaterThanOrEqual(0.5 * RATE)
        }
        expect(points.filter((point) => spoken.some(({ from, to }) => point > from && point < to))).toEqual(
          [],
        )
      }
    }
  })
})

describe('cutPieces', () => {
  it('cuts a stream as it cuts the whole, whatever its blocks are', async () => {
    const { samples } = join(100, () => between(0.4, 0.8), uneven)
    const points = [0, ...splitPoints(samples, 15)]
    for (const size of [4096, 160_001, samples.length]) {
      const blocks = Array.from({ length: Math.ceil(samples.length / size) }, (_, i) =>
        samples.subarray(i * size, (i + 1) * size),
      )
      const cuts = []
      for await (const cut of cutPieces(blocks, 15)) cuts.push(cut)
      expect(cuts.map(({ start }) => start)).toEqual(points)
      const whole = Float32Array.from(cuts.flatMap((cut) => [...cut.samples]))
      expect(Buffer.from(whole.buffer).equals(Buffer.from(samples.buffer))).toBe(true)
    }
  })

  it('reads no further than the end of a piece needs, and stops its source when nobody reads on', async () => {
    let [given, stopped] = [0, false]
    async function* source() {
      try {
        for (;;) {
          given++
          yield new Float32Array(RATE)
        }
      } finally {
        stopped = true
      }
    }
    const pieces = cutPieces(source(), 20)
    for (let i = 1; i <= 10; i++) {
      await pieces.next()
      expect(given).toBeLessThanOrEqual(20 * i + 1)
    }
    await pieces.return(undefined)
    expect(stopped).toBe(true)
  })
})

describe('joinTranscripts', () => {
  it('puts a space between words, none inside scripts without spaces', () => {
    expect(joinTranscripts(['One two.', ' ', 'Three. '])).toBe('One two. Three.')
    expect(joinTranscripts(['今天天气', '很好。', 'OK'])).toBe('今天天气很好。 OK')
    expect(joinTranscripts([])).toBe('')
  })

  it.each([
    ['他说：', '好'],
    ['はい」', '「そう'],
    ['どこ？', '『ここ』'],
    ['サーバー', 'です'],
    ['サーバ', 'ー'],
    ['ｻｰﾊﾞｰ', 'ﾃﾞｽ'],
    ['𠮷', '𠮷野家'],
    ['𰻞𰻞', '面'],
    ['葛󠄀', '城'],
    ['他说：“好。”', '然后'],
    ['走吧……', '好'],
    ['“走吧', '”他说'],
    ['東京・', '大阪'],
    ['約〜', '五'],
    ['々', '仝'],
    ['ㄅㄆ', 'ㄇ'],
    ['ไปที่', 'สวน'],
    ['เรื่อยๆ', 'ไป'],
    ['ສະບາຍ', 'ດີ'],
    ['សួស្តី', 'អ្នក'],
    ['ပါသည်။', 'ကျွန်'],
    ['か\u3099', 'き'],
  ])('joins %j and %j without one', (before, after) => {
    expect(joinTranscripts([before, after])).toBe(before + after)
    const told: string[] = []
    const tell = tellInOrder((added) => told.push(added))
    tell(0, before, true)
    tell(1, after, true)
    expect(told.join('')).toBe(before + after)
  })

  it.each([
    ['안녕하세요.', '오늘은'],
    ['오늘', '漢字'],
    ['नमस्ते।', 'आज'],
    ['He said “hi.”', 'Then'],
    ['Well—', 'no'],
    ['2024', '年'],
    ['版本2.0', '发布'],
    ['مرحبا،', 'كيف'],
    ['😀', '😀'],
    ['Ω', 'я'],
  ])('joins %j and %j with one', (before, after) => {
    expect(joinTranscripts([before, after])).toBe(`${before} ${after}`)
  })

  it('takes no longer for many pieces than their number', () => {
    const started = performance.now()
    expect(joinTranscripts(new Array(5000).fill('”……'.repeat(100))).length).toBeGreaterThan(1e6)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('RepetitionGuard', () => {
  /** The guard's finding and where it came. */
  function watch(tokens: readonly number[]) {
    const guard = new RepetitionGuard()
    for (const [at, token] of tokens.entries()) {
      const loop = guard.add(token)
      if (loop) return { ...loop, at, kept: withoutRepeats(tokens.slice(0, at + 1), loop) }
    }
    return undefined
  }
  const repeated = (unit: readonly number[], times: number) =>
    Array.from({ length: times }, () => unit).flat()

  it('stops a single token and a long phrase, and keeps one of them', () => {
    expect(watch([9, 8, ...repeated([7], 50)])).toMatchObject({
      period: 1,
      repeats: 40,
      at: 41,
      kept: [9, 8, 7],
    })
    const phrase = Array.from({ length: 30 }, (_, i) => 100 + i)
    expect(watch([1, ...repeated(phrase, 9)])).toMatchObject({ period: 30, repeats: 5, kept: [1, ...phrase] })
  })

  it('lets people repeat themselves', () => {
    expect(watch([1, ...repeated([2], 30), 3])).toBeUndefined()
    expect(watch([...repeated([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 4), 11])).toBeUndefined()
    const random = seededRandom(11)
    expect(watch(Array.from({ length: 5000 }, () => random(6)))).toBeUndefined()
  })
})
