import { describe, expect, it } from 'vitest'
import { speechSpan } from '../../eval/audio/pieces.ts'
import { cuesOf, srt } from '../../eval/cues.ts'

const cut = (text: string, start = 0, end = 10) => cuesOf([{ start, end, text }])

describe('subtitles', () => {
  it('have two lines of 42 columns at most, lose no word, and follow one another without a gap', () => {
    const text = Array.from(
      { length: 100 },
      (_, i) => 'word'.repeat(1 + (i % 4)) + (i % 17 === 16 ? '.' : ''),
    ).join(' ')
    const cues = cut(text, 3, 63)
    for (const cue of cues) {
      const lines = cue.text.split('\n')
      expect(lines.length).toBeLessThanOrEqual(2)
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(42)
      expect(cue.end).toBeGreaterThan(cue.start)
    }
    expect(cues.map((cue) => cue.text.replaceAll('\n', ' ')).join(' ')).toBe(text)
    expect(cues[0]?.start).toBe(3)
    expect(cues.at(-1)?.end).toBe(63)
    for (const [i, cue] of cues.slice(1).entries()) expect(cue.start).toBe(cues[i]?.end)
  })

  it('end with sentences, but not with short ones', () => {
    const [first, second] = cut('Yes. It was the best of times for everyone. It was the worst of times.')
    expect(first?.text.replace('\n', ' ')).toBe('Yes. It was the best of times for everyone.')
    expect(second?.text).toBe('It was the worst of times.')
  })

  it('break Chinese anywhere but before punctuation, counting two columns a letter', () => {
    const cues = cut('今天天气很好，我们去公园散步。'.repeat(8))
    for (const cue of cues) {
      for (const line of cue.text.split('\n')) {
        expect(line.length).toBeLessThanOrEqual(22)
        expect(line).not.toMatch(/^[，。]/)
      }
    }
    expect(cues.map((cue) => cue.text.replaceAll('\n', '')).join('')).toBe(
      '今天天气很好，我们去公园散步。'.repeat(8),
    )
  })

  it('keep a word that is longer than a line, and give none for no text', () => {
    expect(cut('x'.repeat(60)).map((cue) => cue.text)).toEqual(['x'.repeat(60)])
    expect(cut('')).toEqual([])
  })

  it('are written as SubRip', () => {
    expect(
      srt([
        { start: 0, end: 1.5, text: 'One' },
        { start: 3661.0004, end: 3662.9996, text: 'Two\nlines' },
      ]),
    ).toBe('1\n00:00:00,000 --> 00:00:01,500\nOne\n\n2\n01:01:01,000 --> 01:01:03,000\nTwo\nlines\n')
  })
})

describe('where speech is', () => {
  const noise = (seconds: number, level: number) =>
    Array.from({ length: seconds * 16000 }, (_, i) => level * Math.sin(i * i))

  it('leaves quiet beginnings and ends out, but for a margin', () => {
    const { start, end } = speechSpan(
      Float32Array.from([...noise(2, 0.001), ...noise(3, 0.3), ...noise(1, 0.001)]),
    )
    expect(start).toBeCloseTo(1.9, 1)
    expect(end).toBeCloseTo(5.1, 1)
  })

  it('is everywhere in even sound, in silence, and in less than a frame', () => {
    expect(speechSpan(Float32Array.from(noise(2, 0.2)))).toEqual({ start: 0, end: 2 })
    expect(speechSpan(new Float32Array(16000))).toEqual({ start: 0, end: 1 })
    expect(speechSpan(new Float32Array(160))).toEqual({ start: 0, end: 0.01 })
  })
})
