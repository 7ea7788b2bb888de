// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Aligner, alignUnits, loadAligner, releaseAligner } from '../../eval/runtime/aligner/aligner.ts'
import { heardPiece } from '../../eval/runtime/aligner/heard-piece.ts'
import { textParts } from '../../eval/runtime/aligner/text-parts.ts'
import { unitsOf } from '../../eval/runtime/aligner/units.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { Qwen3Aligner, Qwen3Asr, type WordTimes } from '../../eval/runtime/qwen3-asr.ts'
import { recognize } from '../../eval/runtime/recognize.ts'
import { loadRecognizer, type Recognizer } from '../../eval/runtime/recognizer.ts'
import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { run as runAlign } from '../../pipeline/commands/align-command.ts'
import { run as runTranscribe } from '../../pipeline/commands/transcribe-command.ts'
import { type JoinedSpeech, joinedSpeech } from '../helpers/joined-speech.ts'
import { sharedReleases, sharedTinyAligner } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

let root = ''
let recognizer = ''
let folder = ''
let english: JoinedSpeech
let asr: Qwen3Asr
/** The same models, in this thread. */
let ears: Recognizer
let aligner: Aligner
/** `english` with its own text. */
let aligned: WordTimes

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-align-'))
  folder = await sharedTinyAligner()
  recognizer = join(await sharedReleases(), TINY_NAME)
  english = await joinedSpeech('English', 60)
  ears = await loadRecognizer(recognizer, { variant: 'fp32', threads: 1 })
  aligner = await loadAligner(folder, { variant: 'fp32', threads: 1 })
  asr = await Qwen3Asr.load(recognizer, {
    variant: 'fp32',
    aligner: folder,
    alignerVariant: 'fp32',
    threads: 1,
  })
  aligned = await asr.align(english.samples, english.text, { language: 'en' })
})

afterAll(async () => {
  await asr?.dispose()
  await ears?.encoder.release()
  if (aligner) await releaseAligner(aligner)
  await rm(root, { recursive: true, force: true })
})

/** Mean error of starts and ends, in seconds. */
function meanError(found: readonly TimedWord[], truth: readonly TimedWord[]): number {
  expect(found.map(({ text }) => text)).toEqual(truth.map(({ text }) => text))
  const errors = truth
    .flatMap(({ start, end }, i) => {
      const own = found[i] as TimedWord
      return [Math.abs(start - own.start), Math.abs(end - own.end)]
    })
    .filter((error) => !Number.isNaN(error))
  return errors.reduce((sum, error) => sum + error) / errors.length
}

function expectInOrder(words: readonly TimedWord[], seconds: number): void {
  const times = words.flatMap(({ start, end }) => [start, end])
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times.every((time) => time >= 0 && time <= seconds)).toBe(true)
}

/** Words of the same parts, each given exactly what is said in it. */
async function withTrueParts({ samples, text, words }: JoinedSpeech, language: string): Promise<TimedWord[]> {
  const { maxSeconds } = aligner.settings
  const { pieces } = await recognize(ears, samples, { maxPieceSeconds: maxSeconds / 2, language })
  const end = samples.length / SAMPLE_RATE
  const heard = pieces.map((piece, i) => heardPiece(piece, pieces[i + 1]?.start ?? end, language))
  const spoken = unitsOf(text, language).map((unit) => unit.spoken)
  const times: TimedWord[] = []
  for (const { start, end } of textParts(spoken, heard, maxSeconds).parts) {
    const own = words.filter((word) => {
      const at = Number.isNaN(word.start) ? word.end : word.start
      return at >= start && at < end
    })
    const part = samples.subarray(Math.round(start * SAMPLE_RATE), Math.round(end * SAMPLE_RATE))
    const said = own.map((word) => unitsOf(word.text, language)[0]?.spoken ?? '')
    const found = await alignUnits(aligner, part, said)
    const at = (i: number) => start + (found.times[i] ?? Number.NaN)
    times.push(...own.map((word, i) => ({ text: word.text, start: at(2 * i), end: at(2 * i + 1) })))
  }
  return times
}

/** A command in this process. */
async function command(run: typeof runAlign, ...args: readonly string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const taken = (to: string[]) => (chunk: string | Uint8Array) => to.push(String(chunk)) > 0
  vi.spyOn(process.stdout, 'write').mockImplementation(taken(out))
  vi.spyOn(process.stderr, 'write').mockImplementation(taken(err))
  const exitCode = await run(args)
  vi.restoreAllMocks()
  return { exitCode, stdout: out.join(''), stderr: err.join('') }
}

describe('asr.align of a recording that is longer than the aligner can look at', () => {
  it('finds words as well as where each part is given what is said in it, in English', async () => {
    expectInOrder(aligned.words, aligned.seconds)
    expect(aligned.seconds).toBeCloseTo(english.samples.length / SAMPLE_RATE, 6)
    expect(aligned.timing.recognizer).toBeGreaterThan(0)
    expect(aligned.timing.prefill).toBeGreaterThan(0)
    expect(aligned.warnings.filter((warning) => /cut|recognized/.test(warning))).toEqual([])
    const best = meanError(await withTrueParts(english, 'English'), english.words)
    const error = meanError(aligned.words, english.words)
    expect(error).toBeLessThan(best + 0.02)
  })

  it('the same in German, by the command', async () => {
    const german = await joinedSpeech('German', 60)
    const [audio, text] = [join(root, 'talk.wav'), join(root, 'talk.txt')]
    await writeFile(audio, encodeWav(german.samples))
    await writeFile(text, `${german.sentences.join('\n')}\n`)
    const { exitCode, stdout } = await command(
      runAlign,
      ...[audio, text, '--language', 'de', '--model-dir', folder, '--recognizer', recognizer],
      ...['--variant', 'fp32', '--threads', '1'],
    )
    expect(exitCode).toBe(0)
    const best = meanError(await withTrueParts(german, 'German'), german.words)
    expect(meanError(JSON.parse(stdout).words, german.words)).toBeLessThan(best + 0.02)
  })

  it('gives a sentence that nobody said no length, and finds the others', async () => {
    const extra = 'Nobody ever wrote such words about green apples.'
    const { sentences, words } = english
    const middle = Math.floor(sentences.length / 2)
    const text = [...sentences.slice(0, middle), extra, ...sentences.slice(middle)].join(' ')
    const found = await asr.align(english.samples, text, { language: 'English' })
    const before = sentences.slice(0, middle).join(' ').split(' ').length
    const lost = found.words.slice(before, before + 8)
    expect(lost.map((word) => word.text).join(' ')).toBe(extra)
    expect(lost.every(({ start, end }) => start === end)).toBe(true)
    expect(found.warnings).toContainEqual(
      expect.stringMatching(
        /^from \d+ to \d+ s 8 words of the text were not recognized: they have no length\.$/,
      ),
    )
    expectInOrder(found.words, found.seconds)
    const others = [...found.words.slice(0, before), ...found.words.slice(before + 8)]
    expect(meanError(others, words)).toBeLessThan(meanError(aligned.words, words) + 0.02)
  })

  it('says where the text lacks a sentence, and finds those of other parts', async () => {
    const { sentences, words } = english
    const at = sentences.findIndex((sentence, i) => i > 3 && sentence.split(' ').length > 6)
    const before = sentences.slice(0, at).join(' ').split(' ').length
    const count = (sentences[at] as string).split(' ').length
    const found = await asr.align(english.samples, sentences.toSpliced(at, 1).join(' '), { language: 'en' })
    expect(found.warnings).toContainEqual(
      expect.stringMatching(/^from \d+ to \d+ s \d words were recognized that are not in the text\.$/),
    )
    expectInOrder(found.words, found.seconds)
    const apart = ({ start }: TimedWord) => Math.abs(start - (words[before]?.start ?? 0)) > 15
    const truth = words.toSpliced(before, count)
    const is = truth.map(apart)
    const [own, usual] = [found.words, aligned.words.toSpliced(before, count)].map((each) =>
      meanError(
        each.filter((_, i) => is[i]),
        truth.filter((_, i) => is[i]),
      ),
    )
    expect(own).toBeLessThan((usual ?? 0) + 0.05)
  })

  it('takes numbers, mixed scripts and right-to-left writing, in their order', async () => {
    const odd = ['3.5 %', '你好！', '«مرحبا', 'بالعالم»', "O'Neil — £7"]
    const text = english.sentences.flatMap((sentence, i) => [sentence, odd[i % odd.length] ?? '']).join(' ')
    const { words, seconds } = await asr.align(english.samples, text)
    const glued = (each: string) => each.replace(/\s/g, '')
    expect(glued(words.map((word) => word.text).join(''))).toBe(glued(text))
    expectInOrder(words, seconds)
  })

  it('says what it could not find in silence', async () => {
    const silence = new Float32Array(40 * SAMPLE_RATE)
    const { words, warnings, seconds } = await asr.align(silence, english.text)
    expectInOrder(words, seconds)
    expect(words.length).toBe(english.words.length)
    expect(warnings).toContainEqual(expect.stringMatching(/words of the text were not recognized/))
    expect((await asr.align(silence, ' … ')).words).toEqual([])
  })

  it('stops in the middle, and continues with the next call', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    const stopped = asr.align(english.samples, english.text, { signal: stop.signal })
    const other = asr.align(english.samples.subarray(0, 3 * SAMPLE_RATE), english.sentences[0] ?? '')
    setTimeout(() => stop.abort(reason), 50)
    await expect(stopped).rejects.toBe(reason)
    expect((await other).words.length).toBeGreaterThan(0)
  })

  it('gives calls that overlap what each gets alone', async () => {
    const short = english.samples.subarray(0, 3 * SAMPLE_RATE)
    const sentence = english.sentences[0] ?? ''
    const alone = [await asr.align(short, sentence), await asr.transcribe(short)] as const
    const together = await Promise.all([
      asr.align(short, sentence),
      asr.transcribe(short),
      asr.align(english.samples, english.text, { language: 'en' }),
    ])
    expect(together.map((each) => ('words' in each ? each.words : each.segments))).toEqual([
      alone[0].words,
      alone[1].segments,
      aligned.words,
    ])
  })

  it('does not take a stream, which cannot be read twice', async () => {
    const path = join(root, 'long.wav')
    await writeFile(path, encodeWav(english.samples))
    const file = await open(path)
    await expect(asr.align({ fd: file.fd, name: 'pipe' }, 'One two')).rejects.toMatchObject({
      message: 'pipe is too long to be aligned as a stream.',
      hint: 'Write it to a file first.',
    })
    await file.close()
  })
})

describe('Qwen3Aligner', () => {
  it('aligns what it can look at, as asr.align does, and names that for the rest', async () => {
    const own = await Qwen3Aligner.load(folder, { variant: 'fp32', threads: 1 })
    try {
      const short = english.samples.subarray(0, 3 * SAMPLE_RATE)
      const sentence = english.sentences[0] ?? ''
      const [found, other] = [await own.align(short, sentence), await asr.align(short, sentence)]
      expect(found.words).toEqual(other.words)
      expect(found.timing).not.toHaveProperty('recognizer')
      const first = english.words.slice(0, found.words.length)
      expect(meanError(found.words, first)).toBeLessThan(0.15)
      await expect(own.align(english.samples, english.text)).rejects.toMatchObject({
        message: `The recording has more than ${own.maxSeconds} s, wanted at most ${own.maxSeconds} s, which the aligner can process in one pass.`,
        hint: expect.stringMatching(/asr\.align of the API/),
      })
      await expect(own.align(short, 7 as unknown as string)).rejects.toThrow(
        'The text is number, wanted a string.',
      )
    } finally {
      await own.dispose()
    }
    await expect(own.align(english.samples, 'late')).rejects.toThrow('The aligner is closed.')
  })

  it('is distinguished from a recognizer', async () => {
    const wrong = `${recognizer} holds a speech recognition model, wanted a forced aligner.`
    await expect(Qwen3Aligner.load(recognizer)).rejects.toThrow(wrong)
    await expect(Qwen3Asr.load(recognizer, { aligner: recognizer })).rejects.toThrow(wrong)
    await expect(Qwen3Asr.load(folder)).rejects.toThrow(
      `${folder} holds a forced aligner, wanted a speech recognition model.`,
    )
    await expect(Qwen3Asr.load(recognizer, { alignerVariant: 'fp32' })).rejects.toThrow(
      'alignerVariant is given without aligner.',
    )
  })
})

describe('a transcript with an aligner', () => {
  it("keeps the attention's times where the aligner does not support the language, and says so once", async () => {
    const few = english.samples.subarray(0, 11 * SAMPLE_RATE)
    const options = { maxPieceSeconds: 4, language: 'Turkish' }
    const { segments, warnings, timing } = await asr.transcribe(few, options)
    expect(warnings).toEqual([
      `the aligner does not support Turkish: words of ${segments.length} pieces have the times of the decoder's attention.`,
    ])
    expect(segments.length).toBeGreaterThan(1)
    expect(segments.every(({ words = [] }) => words.length > 0)).toBe(true)
    expect(timing).not.toHaveProperty('aligner')
    await expect(asr.align(few, 'kelime', options)).rejects.toThrow('The aligner does not support Turkish.')
  })

  it('has its times in JSON and in subtitles', async () => {
    const path = join(root, 'clip.wav')
    const few = english.samples.subarray(0, 11 * SAMPLE_RATE)
    await writeFile(path, encodeWav(few))
    const transcribe = async (...more: string[]) => {
      const given = ['--model-dir', recognizer, '--variant', 'fp32', '--aligner', folder, '--threads', '1']
      const { stdout, exitCode } = await command(runTranscribe, path, ...given, ...more)
      expect(exitCode).toBe(0)
      return stdout
    }
    const { text, timing, segments } = JSON.parse(await transcribe('--format', 'json'))
    const words: TimedWord[] = segments.flatMap((segment: { words: TimedWord[] }) => segment.words)
    const byAttention = await recognize(ears, few)
    expect(text).toBe(byAttention.text)
    expect(timing.aligner).toBeGreaterThan(0)
    const others = byAttention.pieces.flatMap((piece) => piece.words ?? [])
    expect(words.map((word) => word.text)).toEqual(others.map((word) => word.text))
    expect(words.map(({ start }) => start)).not.toEqual(others.map(({ start }) => start))
    expectInOrder(words, 11)
    const cue = (await transcribe('--format', 'srt')).split('\n')[1] ?? ''
    const seconds = (words[0]?.start ?? 0).toFixed(3).padStart(6, '0').replace('.', ',')
    expect(cue).toContain(`00:00:${seconds} -->`)
  })

  it('is refused for text, which shows no times', async () => {
    const { exitCode, stderr } = await command(runTranscribe, 'a.wav', '--aligner', folder)
    expect([exitCode, stderr.split('\n')[0]]).toEqual([
      2,
      'error: --aligner finds times, which --format text does not show.',
    ])
  })
})
