// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import type { Segment, Transcript } from '../../eval/runtime/qwen3-asr.ts'
import { parseTranscribe } from '../../pipeline/commands/transcribe-options.ts'
import { transcriptContent, transcriptObject } from '../../pipeline/transcribe/transcript-formats.ts'
import { recognition, requireWordTimes } from '../../pipeline/transcribe/transcription-options.ts'

const SEGMENT: Segment = {
  ...{ start: 0.1234567, end: 1.98, text: 'Yes, it is.', language: 'English', ending: 'end' },
  ...{ tokens: 5, tokenIds: [7, 8, 3, 4, 5] },
  words: [
    { text: 'Yes,', start: 0.2000004, end: 0.7 },
    { text: 'it', start: 0.7123456, end: 0.9 },
    { text: 'is.', start: 1, end: 1.9 },
  ],
}
const SILENCE: Segment = {
  ...{
    start: 2,
    end: 3,
    text: '',
    language: undefined,
    ending: 'end',
    tokens: 3,
    tokenIds: [7, 9, 3],
    words: [],
  },
}
const LAST: Segment = {
  ...{
    start: 3.5,
    end: 4.5,
    text: '今天 \u0007a',
    language: 'Chinese',
    ending: 'end',
    tokens: 4,
    tokenIds: [7, 10, 3, 6],
  },
  words: [
    { text: '今', start: 3.5, end: 3.75 },
    { text: '天', start: 3.75, end: 4 },
    { text: '\u0007a', start: 4.25, end: 4.5 },
  ],
}
const TRANSCRIPT: Transcript = {
  ...{ text: 'Yes, it is. 今天 \u0007a', language: 'English', seconds: 5.00049, warnings: [] },
  timing: { mel: 0.1, encoder: 0.2, prefill: 0.3, decode: 0.4 },
  segments: [SEGMENT, SILENCE, LAST],
}
const WITHOUT: Transcript = {
  ...TRANSCRIPT,
  segments: TRANSCRIPT.segments.map(({ words: _, ...segment }) => segment),
}
const about = { file: 'a.wav', variant: 'int4' }
const json = (...args: Parameters<typeof transcriptContent>) => JSON.parse(transcriptContent(...args))

describe('JSON', () => {
  it('has words in segments, their times in milliseconds', () => {
    const { file, segments } = json(TRANSCRIPT, about, { format: 'json' })
    expect(file).toBe('a.wav')
    expect(segments).toEqual([
      {
        ...{
          start: 0.1234567,
          end: 1.98,
          text: 'Yes, it is.',
          language: 'English',
          ending: 'end',
          tokens: 5,
        },
        words: [
          { text: 'Yes,', start: 0.2, end: 0.7 },
          { text: 'it', start: 0.712, end: 0.9 },
          { text: 'is.', start: 1, end: 1.9 },
        ],
      },
      { start: 2, end: 3, text: '', ending: 'end', tokens: 3 },
      {
        ...{ start: 3.5, end: 4.5, text: '今天 \u0007a', language: 'Chinese', ending: 'end', tokens: 4 },
        words: LAST.words,
      },
    ])
  })

  it('has none where the release has no times', () => {
    for (const segment of json(WITHOUT, about, { format: 'json' }).segments)
      expect(Object.keys(segment)).not.toContain('words')
  })
})

describe('--openai', () => {
  it('gives the verbose_json object, with null for what is not known', () => {
    expect(json(TRANSCRIPT, about, { format: 'json', openai: true })).toEqual({
      ...{ task: 'transcribe', language: 'english', duration: 5, text: TRANSCRIPT.text },
      segments: [
        {
          ...{ id: 0, seek: 12, start: 0.123, end: 1.98, text: 'Yes, it is.', tokens: [7, 8, 3, 4, 5] },
          ...{ temperature: 0, avg_logprob: null, compression_ratio: 0.579, no_speech_prob: null },
        },
        {
          ...{ id: 1, seek: 350, start: 3.5, end: 4.5, text: '今天 \u0007a', tokens: [7, 10, 3, 6] },
          ...{ temperature: 0, avg_logprob: null, compression_ratio: 0.529, no_speech_prob: null },
        },
      ],
      words: [
        { word: 'Yes,', start: 0.2, end: 0.7 },
        { word: 'it', start: 0.712, end: 0.9 },
        { word: 'is.', start: 1, end: 1.9 },
        { word: '今', start: 3.5, end: 3.75 },
        { word: '天', start: 3.75, end: 4 },
        { word: '\u0007a', start: 4.25, end: 4.5 },
      ],
    })
  })

  it('has no words where none have times, and an empty language where none was recognized', () => {
    expect(Object.keys(json(WITHOUT, about, { format: 'json', openai: true }))).toEqual([
      ...['task', 'language', 'duration', 'text', 'segments'],
    ])
    const silence = { ...TRANSCRIPT, text: '', language: undefined, segments: [SILENCE] }
    expect(json(silence, about, { format: 'json', openai: true })).toEqual({
      ...{ task: 'transcribe', language: '', duration: 5, text: '', segments: [] },
    })
  })

  it('names the file in an event', () => {
    expect(transcriptObject(TRANSCRIPT, about, { openai: true })).toMatchObject({
      ...about,
      task: 'transcribe',
    })
  })
})

describe('subtitles', () => {
  it('have the times of words, and show no controls', () => {
    expect(transcriptContent(TRANSCRIPT, about, { format: 'srt' })).toBe(
      '1\n00:00:00,200 --> 00:00:01,900\nYes, it is.\n\n2\n00:00:03,500 --> 00:00:04,500\n今天 \\u{7}a\n',
    )
    expect(transcriptContent(TRANSCRIPT, about, { format: 'vtt', wordTimestamps: true })).toBe(
      `WEBVTT

00:00:00.200 --> 00:00:01.900
Yes, <00:00:00.712>it <00:00:01.000>is.

00:00:03.500 --> 00:00:04.500
今<00:00:03.750>天 <00:00:04.250>\\u{7}a
`,
    )
    expect(transcriptContent(TRANSCRIPT, about, { format: 'vtt' })).not.toContain('<')
    expect(transcriptContent(WITHOUT, about, { format: 'srt' })).toMatch(
      /^1\n00:00:00,123 --> 00:00:01,980\n/,
    )
  })

  it('are made of pieces of 15 s only where words have no times', () => {
    const { signal } = new AbortController()
    const pieceOf = (format: 'text' | 'srt' | 'vtt', hasWordTimes: boolean, given = {}) =>
      recognition({ format, ...given }, { hasWordTimes }, signal).maxPieceSeconds
    expect(pieceOf('srt', false)).toBe(15)
    expect(pieceOf('vtt', false)).toBe(15)
    expect(pieceOf('text', false)).toBe(undefined)
    expect(pieceOf('srt', true)).toBe(undefined)
    expect(pieceOf('vtt', true)).toBe(undefined)
    expect(pieceOf('vtt', true, { maxPieceSeconds: 30 })).toBe(30)
  })

  it('with the times of words are refused where there are none', () => {
    const asr = (hasWordTimes: boolean, layout: 'fused' | 'split') => ({
      hasWordTimes,
      layout,
      variant: 'int4',
    })
    expect(() => requireWordTimes(asr(true, 'fused'), 'out')).not.toThrow()
    expect(() => requireWordTimes(asr(false, 'split'), 'out')).toThrow(
      expect.objectContaining({
        message: 'int4 in out has no times of words in the split layout, which --word-timestamps needs.',
        hint: 'Leave --word-timestamps out, or use the fused layout of a release that has them.',
        exitCode: 1,
      }),
    )
    expect(() => requireWordTimes(asr(false, 'fused'), 'out')).toThrow(
      expect.objectContaining({
        message: 'int4 in out has no times of words in the fused layout, which --word-timestamps needs.',
        hint: 'Leave --word-timestamps out, or make the release again with npm run pipeline: its graphs then have them.',
        exitCode: 1,
      }),
    )
  })
})

describe('the command line', () => {
  it.each([
    [['a', '--openai'], '--openai is a shape of JSON, found --format text.', 'Give --format json --openai.'],
    [
      ['a', '--openai', '--format', 'vtt'],
      '--openai is a shape of JSON, found --format vtt.',
      'Give --format json --openai.',
    ],
    [
      ['a', 'b', '--openai', '--format', 'json'],
      'With --openai, the objects of 2 recordings name none of them.',
      'Give --output-dir for a file of each, or --json for events that name them.',
    ],
    [
      ['a', '--word-timestamps'],
      '--word-timestamps goes with WebVTT, found --format text.',
      'Give --format vtt, or --format json, whose segments have words with times.',
    ],
    [
      ['a', '--word-timestamps', '--format', 'srt'],
      '--word-timestamps goes with WebVTT, found --format srt.',
      'Give --format vtt, or --format json, whose segments have words with times.',
    ],
  ])('%j is refused', async (args, message, hint) => {
    await expect(parseTranscribe(args)).rejects.toMatchObject({ message, hint, exitCode: 2 })
  })

  it.each([
    [['a', '--format', 'json', '--openai'], { openai: true, wordTimestamps: false }],
    [['a', 'b', '--format', 'json', '--openai', '--json'], { openai: true }],
    [['a', 'b', '--format', 'json', '--openai', '--output-dir', 'c'], { openai: true }],
    [['a', '--format', 'vtt', '--word-timestamps'], { openai: false, wordTimestamps: true }],
    [['a', '--format', 'json', '--word-timestamps'], { wordTimestamps: true }],
  ])('%j is taken', async (args, wanted) => {
    expect(await parseTranscribe(args)).toMatchObject(wanted)
  })
})
