// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { cuesOf, srt, type TimedText, vtt } from '../../eval/cues.ts'
import { speechSpan } from '../../eval/runtime/audio/pieces.ts'
import { columns } from '../../eval/text-columns.ts'
import { seededRandom } from '../helpers/random.ts'

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

  it('break a word that is longer than a line, behind a joint where it has one, and give none for no text', () => {
    expect(cut('x'.repeat(60)).map((cue) => cue.text)).toEqual(['x'.repeat(42), 'x'.repeat(18)])
    expect(cut('https://example.org/a-long/path/with_many/parts-of-it', 0, 5).map((cue) => cue.text)).toEqual(
      ['https://example.org/a-long/path/with_many/\nparts-of-it'],
    )
    expect(cut('')).toEqual([])
    expect(cut(' \n\n ')).toEqual([])
  })

  it('are shown for 7 s at most, and for a second at least where there is room', () => {
    expect(cut('Yes.', 3, 15)).toEqual([{ start: 3, end: 10, text: 'Yes.' }])
    expect(cut('Yes.', 3, 3.2)).toEqual([{ start: 3, end: 4, text: 'Yes.' }])
    const near = cuesOf([
      { start: 3, end: 3.2, text: 'Yes.' },
      { start: 3.6, end: 5, text: 'No.' },
    ])
    expect(near.map(({ start, end }) => [start, end])).toEqual([
      [3, 3.6],
      [3.6, 5],
    ])
    const slow = cut('One two three four five six seven eight nine ten.', 0, 30)
    for (const { start, end } of slow) expect(end - start).toBeLessThanOrEqual(7)
    expect(slow.map(({ text }) => text).join(' ')).toBe('One two three four five six seven eight nine ten.')
  })

  it('do not overlap when texts do', () => {
    const cues = cuesOf([
      { start: 0, end: 5, text: 'First.' },
      { start: 4, end: 4, text: 'Second.' },
      { start: 4, end: 8, text: 'Third.' },
    ])
    for (const [i, { start, end }] of cues.entries()) {
      expect(start).toBeGreaterThanOrEqual(cues[i - 1]?.end ?? 0)
      expect(end - start).toBeGreaterThan(0.0009)
    }
  })

  it.each([
    [
      '東京タワーは東京都港区芝公園にある電波塔ですよ。',
      ['東京タワーは東京都港区', '芝公園にある電波塔ですよ。'],
    ],
    ['วันนี้อากาศดีมากเราจะไปเดินเล่นที่สวนสาธารณะกันเพื่อพักผ่อน', undefined],
  ])('break %s between words', (text, lines) => {
    const [cue] = cut(text, 0, 6)
    const found = cue?.text.split('\n') ?? []
    if (lines) expect(found).toEqual(lines)
    const words = new Set(
      [...new Intl.Segmenter('en', { granularity: 'word' }).segment(text)].map(({ index }) => index),
    )
    let at = 0
    for (const line of found) {
      expect(words.has(at)).toBe(true)
      at += line.length
    }
  })

  it('are written as WebVTT', () => {
    expect(
      vtt([
        { start: 0, end: 1.5, text: 'AT&T <b> a --> b' },
        { start: 3661.0004, end: 3662.9996, text: 'Two\n\nlines' },
      ]),
    ).toBe(
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nAT&amp;T &lt;b&gt; a --&gt; b\n\n01:01:01.000 --> 01:01:03.000\nTwo\nlines\n',
    )
    expect(vtt([])).toBe('WEBVTT\n')
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

/** Sentences of many scripts; what is in them is joined in many orders. */
const SAMPLES = {
  English:
    'It was the best of times, (it was) the "worst" of times: a well-known story... Wasn\'t it? £5.50!',
  French: 'Où est-il ? « Ici », dit-elle ; c’était « très » bien !',
  German: 'Er sagte: „Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen“, »ja« und ging.',
  Japanese:
    'ちょっと「コーヒー」を飲みませんか？ウィキペディア（百科事典）によると、スーパーマーケットっていいよねぇ。々ヽ〜',
  Chinese: '他说：“今天天气很好！”我们去𠮷野家……《红楼梦》（第一回）、OpenAI发布了GPT-4模型，３３３米。',
  Korean: '오늘은 날씨가 정말 좋아서, 우리는 (공원에) 산책하러 갈 것입니다. "커피도" 마실 거예요?',
  Thai: 'วันนี้อากาศดีมากเราจะไปเดินเล่นที่สวนสาธารณะกันเพื่อพักผ่อนหย่อนใจไปเรื่อยๆ กรุงเทพฯ',
  Khmer: 'ថ្ងៃនេះអាកាសធាតុល្អណាស់យើងនឹងទៅដើរលេងនៅសួនច្បារដើម្បីសម្រាកកាយនិងហាត់ប្រាណ។',
  Lao: 'ມື້ນີ້ອາກາດດີຫຼາຍພວກເຮົາຈະໄປຍ່າງຫຼິ້ນຢູ່ສວນສາທາລະນະເພື່ອພັກຜ່ອນຢ່ອນໃຈ',
  Burmese: 'ယနေ့ရာသီဥတုသာယာသည်၊ကျွန်ုပ်တို့ပန်းခြံသို့လမ်းလျှောက်သွားကြမည်ဖြစ်ပြီးအပန်းဖြေကြမည်။',
  Hindi: 'आज मौसम बहुत अच्छा है, क्या आप क्षत्रिय विद्यालय में आएँगे? हाँ।',
  Arabic: 'الطقس جميلٌ جدا اليوم، هل تريد أن تأتي معنا؟ (نعم) بالتأكيد.',
  Vietnamese: 'Trời hôm nay đẹp quá, chúng ta đi dạo nhé.',
  decomposed: 'e\u0301te\u0301 a\u0308\u0323 o\u0302\u0303',
  emoji: '👩‍👩‍👧‍👦🇩🇪❤️👍🏽 ok 😀😀😀',
  long: `https://example.org/a/very/long/path/that-goes_on?and=on&on#and-on ${'x'.repeat(100)}`,
  hostile: 'one\r\n\r\n7\n00:00:01,000 --> 00:00:02,000\u0000 <b>&amp;\u2028\u2028two-->three \u001b[31m',
} as const

/** Of the marks that no line may begin or end with, those that are meant in the texts above. */
const CLOSING = /^[)\]}）」』】》”’»、。，．！？：；…・ー〜々ヽヾっょぇィェッ,.!?;:។။၊।،؟ฯๆ]/u
const OPENING = /[([{（「『【《“‘«]$/u

describe('subtitles of any text', () => {
  const random = seededRandom(3)
  const samples = Object.values(SAMPLES)
  const mixed = Array.from({ length: 60 }, () =>
    Array.from({ length: 1 + random(8) }, () => samples[random(samples.length)] as string).join(
      [' ', ''][random(2)],
    ),
  )
  const plain = (text: string) => text.replace(/[\s\p{Cc}]/gu, '')

  it.each([...Object.entries(SAMPLES), ...mixed.map((text, i) => [`mixed ${i}`, text] as const)])(
    '%s',
    (_, text) => {
      for (const seconds of [0.5, 6, 60]) {
        const texts = [5, 5 + seconds].map((start): TimedText => ({ start, end: start + seconds, text }))
        const cues = cuesOf(texts)
        expect(plain(cues.map((cue) => cue.text).join(''))).toBe(plain(text + text))
        let last = 5
        for (const cue of cues) {
          expect(cue.start).toBeGreaterThanOrEqual(last)
          expect(cue.end).toBeGreaterThan(cue.start)
          expect(cue.end - cue.start).toBeLessThanOrEqual(7.000001)
          last = cue.end
          const lines = cue.text.split('\n')
          expect(lines.length).toBeLessThanOrEqual(2)
          for (const line of lines) {
            expect(columns(line)).toBeLessThanOrEqual(42)
            expect(line).toBe(line.trim())
            expect(line).not.toBe('')
            expect(line).not.toMatch(CLOSING)
            expect(line).not.toMatch(OPENING)
          }
        }
        const blocks = srt(cues).trimEnd().split('\n\n')
        expect(blocks).toHaveLength(cues.length)
        for (const [i, block] of blocks.entries()) {
          expect(block).toMatch(new RegExp(`^${i + 1}\\n\\d\\d:\\d\\d:\\d\\d,\\d{3} --> `))
          expect(block.split('-->')).toHaveLength(2)
        }
        const [header, ...others] = vtt(cues).trimEnd().split('\n\n')
        expect(header).toBe('WEBVTT')
        expect(others).toHaveLength(cues.length)
        for (const block of others) {
          expect(block.split('-->')).toHaveLength(2)
          expect(block.split('\n').slice(1).join('')).not.toMatch(/[<>]|&(?!(amp|lt|gt);)/)
        }
      }
    },
  )
})

describe('columns', () => {
  it.each([
    ['abc', 3],
    ['日本語', 6],
    ['ー。「', 6],
    ['ｱｲｳ', 3],
    ['한국어', 6],
    ['\u1112\u1161\u11ab', 2],
    ['e\u0301', 1],
    ['ก็', 1],
    ['हिन्दी', 3],
    ['𠮷', 2],
    ['Ａ', 2],
    ['❤️', 2],
    ['😀', 2],
    ['a\u200bb', 2],
  ])('%j takes %i', (text, wanted) => {
    expect(columns(text)).toBe(wanted)
  })
})

describe('where speech is', () => {
  const noise = (seconds: number, level: number) =>
    Array.from({ length: seconds * 16000 }, (_, i) => level * Math.sin(i * i))

  it('leaves quiet beginnings and ends out, except a margin', () => {
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
