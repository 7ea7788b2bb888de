import { describe, expect, it } from 'vitest'
import { joinTranscripts, piecesOf, splitPoints } from '../../eval/audio/pieces.ts'
import { RepetitionGuard, withoutRepeats } from '../../eval/repetition.ts'
import { seededRandom } from '../helpers/random.ts'

const RATE = 16000

/** Noise as loud as speech, with pauses of 0.4 s at the given seconds. */
function speech(seconds: number, pauses: readonly number[]): Float32Array {
  const random = seededRandom(5)
  return Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const isPause = pauses.some((pause) => Math.abs(i / RATE - pause) < 0.2)
    return (random(2001) / 1000 - 1) * (isPause ? 0.001 : 0.3)
  })
}

describe('splitPoints', () => {
  it('leaves what is short enough alone', () => {
    expect(splitPoints(speech(60, []))).toEqual([])
    expect(splitPoints(speech(61, []), Number.POSITIVE_INFINITY)).toEqual([])
    expect(splitPoints(new Float32Array(0))).toEqual([])
  })

  it('splits 20 minutes into 20 pieces of at most 60 s, whatever the sound', () => {
    for (const samples of [speech(1200, []), new Float32Array(1200 * RATE)]) {
      const pieces = piecesOf(samples, splitPoints(samples))
      expect(pieces.length).toBe(20)
      for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(60 * RATE)
      expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(samples.length)
    }
  })

  it('splits in the middle of pauses', () => {
    const found = splitPoints(speech(150, [20, 44, 52, 97, 140])).map((point) => point / RATE)
    expect(found.length).toBe(2)
    const off = found.map((point) => Math.min(...[44, 52, 97].map((pause) => Math.abs(pause - point))))
    for (const distance of off) expect(distance).toBeLessThan(0.06)
  })

  it('honours other lengths', () => {
    const samples = speech(61, [14, 31, 45])
    const pieces = piecesOf(samples, splitPoints(samples, 20))
    expect(pieces.length).toBe(4)
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(20 * RATE)
  })
})

describe('joinTranscripts', () => {
  it('puts a space between words, none inside scripts without spaces', () => {
    expect(joinTranscripts(['One two.', ' ', 'Three. '])).toBe('One two. Three.')
    expect(joinTranscripts(['今天天气', '很好。', 'OK'])).toBe('今天天气很好。 OK')
    expect(joinTranscripts([])).toBe('')
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
