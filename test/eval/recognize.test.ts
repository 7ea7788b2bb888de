// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Cut } from '../../eval/runtime/audio/pieces.ts'
import { type DecodeRequest, makeDecodeLoop } from '../../eval/runtime/decode-loop.ts'
import { makePlaces } from '../../eval/runtime/decode-places.ts'
import type { Decoder } from '../../eval/runtime/decoder.ts'
import { tokenLimit } from '../../eval/runtime/limits.ts'
import { openAudio } from '../../eval/runtime/opened-audio.ts'
import { type RecognizeOptions, recognizePieces } from '../../eval/runtime/recognize.ts'
import type { Recognizer } from '../../eval/runtime/recognizer.ts'
import type { ReleaseConfig } from '../../eval/runtime/release-config.ts'
import { SPECIAL_TOKENS, type Tokenizer } from '../../eval/runtime/tokenizer.ts'

const END = 9
const VOCAB = 10

/** Stands for a model that says `tokens` times 1 about everything, without onnxruntime. */
function fakeRecognizer(batch: number, tokens: number): Recognizer {
  const rows: number[] = []
  const logits = () => {
    const out = new Float32Array(rows.length * VOCAB)
    for (const [row, said] of rows.entries()) out[row * VOCAB + (said < tokens ? 1 : END)] = 1
    return out
  }
  const decoder: Decoder = {
    ...{ layout: 'fused', prefillKind: 'same', maxRows: batch, takesDrafts: false, alignsWords: false },
    get rows() {
      return rows.length
    },
    async prefill() {
      rows.push(0)
      return logits().slice(-VOCAB)
    },
    async step() {
      await sleep(0)
      for (const row of rows.keys()) rows[row] = (rows[row] as number) + 1
      return logits()
    },
    attention: () => new Float32Array(0),
    shorten: () => {},
    remove(row) {
      rows[row] = rows.at(-1) as number
      rows.pop()
    },
    clear: () => rows.splice(0),
    release: async () => {},
  }
  const config = {
    hiddenSize: 1,
    vocabSize: VOCAB,
    endIds: [END],
    embeddingShape: [VOCAB, 1] as const,
    quantization: {},
  }
  const tokenizer = {
    encode: () => [0],
    decode: (ids: readonly number[]) => `language English${SPECIAL_TOKENS.asrText}${'a '.repeat(ids.length)}`,
    idOf: () => 0,
  } as unknown as Tokenizer
  const full: ReleaseConfig = { ...config, cache: { layers: 1, heads: 1, headDim: 1 } }
  const decode = makeDecodeLoop(decoder, full, batch)
  const input = { prompt: { ids: [0], audioOffset: 0 }, features: new Float32Array() }
  return {
    ...{ config: full, tokenizer, decoder, takePlace: makePlaces(batch === 1 ? 1 : 2 * batch) },
    decode: (request: DecodeRequest) => decode({ ...request, prepare: async () => input }),
  } as unknown as Recognizer
}

describe('recognizePieces', () => {
  /** How many pieces are in memory, at most. */
  async function run(batch: number, fails = -1) {
    const recognizer = fakeRecognizer(batch, 20)
    let [given, ended, most, closed] = [0, 0, 0, false]
    const decode = recognizer.decode
    const watched: Recognizer = {
      ...recognizer,
      async decode(request) {
        try {
          return await decode(request)
        } finally {
          ended++
        }
      },
    }
    async function* cuts(): AsyncGenerator<Cut> {
      try {
        for (let i = 0; i < 50; i++) {
          if (i === fails) throw new Error('the file ends here')
          given++
          most = Math.max(most, given - ended)
          yield { start: i * 16000, samples: new Float32Array(16000) }
        }
      } finally {
        closed = true
      }
    }
    const told: string[] = []
    const result = await recognizePieces(watched, cuts(), {}, { onText: (text) => told.push(text) }).catch(
      (error: Error) => error.message,
    )
    return { result, told: told.join(''), most, given, closed }
  }

  it.each([
    [1, 1],
    [4, 8],
  ])('with %i at once holds no more than %i pieces, and emits their text in order', async (batch, wanted) => {
    const { result, told, most, given, closed } = await run(batch)
    if (typeof result === 'string') throw new Error(result)
    expect({ most, given, closed }).toEqual({ most: wanted, given: 50, closed: true })
    expect(result.pieces.map(({ start }) => start)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(result.pieces.every(({ ending, generated }) => ending === 'end' && generated === 20)).toBe(true)
    expect(told).toBe(result.text)
  })

  it('fails when its source fails, after what is under way has ended', async () => {
    expect(await run(4, 20)).toMatchObject({ result: 'the file ends here', given: 20, closed: true })
  })

  it('stops reading when it is aborted', async () => {
    const stop = new AbortController()
    let given = 0
    async function* cuts(): AsyncGenerator<Cut> {
      for (;;) {
        if (++given === 5) stop.abort(new Error('enough'))
        yield { start: 0, samples: new Float32Array(16000) }
      }
    }
    const running = recognizePieces(fakeRecognizer(4, 20), cuts(), {}, { signal: stop.signal })
    await expect(running).rejects.toThrow('enough')
    expect(given).toBe(5)
  })
})

describe('a context', () => {
  const tone = (seconds: number, level: number) =>
    Float32Array.from({ length: seconds * 16000 }, (_, i) => level * Math.sin(i / 5))
  const speech = Float32Array.from([...tone(1, 0.3), ...tone(1, 0.003), ...tone(1, 0.3)])

  /** Says each text in turn, word by word. */
  function saying(...texts: string[]) {
    const words: string[] = []
    const told: string[] = []
    let runs = 0
    const decode: Recognizer['decode'] = async (request) => {
      const tokens: number[] = []
      for (const word of (texts[runs++] ?? '').split(/(?= )/u)) {
        tokens.push(words.push(word) - 1)
        request.onToken?.([...tokens])
      }
      return { tokens, generated: tokens.length, ending: 'end', prefill: 1, decode: 2 }
    }
    const tokenizer = { decode: (ids: readonly number[]) => ids.map((id) => words[id]).join('') }
    const recognizer = { ...fakeRecognizer(1, 1), tokenizer, decode } as unknown as Recognizer
    return async (samples: Float32Array, options: RecognizeOptions) => {
      const cuts = [{ start: 0, samples }]
      const { pieces } = await recognizePieces(recognizer, cuts, options, {
        onText: (text) => told.push(text),
      })
      return { piece: pieces[0], runs, told: told.join('') }
    }
  }
  const context = 'Anna Berta, Caesar, Dora, Emil'

  it('that is recited is left out when it is decoded again, and is never emitted', async () => {
    const run = saying('Berta Caesar, Dora!', 'Good morning.')
    const { piece, runs, told } = await run(speech, { context, language: 'English' })
    expect(piece).toMatchObject({ text: 'Good morning.', hasRecited: true })
    expect(piece?.timing).toMatchObject({ prefill: 2, decode: 4 })
    expect({ runs, told }).toEqual({ runs: 2, told: 'Good morning.' })
  })

  it('may be said by someone: its words among others are emitted as they come', async () => {
    const run = saying('Anna Berta met Emil today.')
    const { piece, runs, told } = await run(speech, { context, language: 'English' })
    expect(piece?.text).toBe('Anna Berta met Emil today.')
    expect(piece).not.toHaveProperty('hasRecited')
    expect({ runs, told }).toEqual({ runs: 1, told: 'Anna Berta met Emil today.' })
  })

  it('is not given to a piece without speech, and neither is a language', async () => {
    const run = saying('language None<asr_text>')
    const silent = await run(tone(2, 0.3), { context, language: 'English' })
    expect(silent.piece).toMatchObject({ text: '', language: undefined, saysNone: true })
    const heard = await saying('Hello.')(speech, { context, language: 'English' })
    expect(heard.piece).toMatchObject({ text: 'Hello.', language: 'English' })
  })
})

describe('openAudio', () => {
  it('reads the first piece, gives all of them, and counts their seconds', async () => {
    const audio = await openAudio({ samples: new Float32Array(50 * 16000), sampleRate: 16000 }, 20)
    expect(audio.length).toBe(20 * 16000)
    const starts: number[] = []
    for await (const { start } of audio.cuts) starts.push(start / 16000)
    expect(starts).toEqual([0, 20, 40])
    expect(audio.seconds()).toBe(50)
  })

  it('passes on what is odd in samples', async () => {
    const samples = new Float32Array(16000).fill(16384)
    const { notes, first } = await openAudio({ samples, sampleRate: 16000 })
    expect(notes).toHaveLength(1)
    expect(first.samples[0]).toBe(1)
  })
})

describe('the limit of tokens', () => {
  it('grows with the length of a piece: brisk Hindi and Greek take 15 tokens a second', () => {
    expect([0, 10, 20.48, 30.01, 60].map(tokenLimit)).toEqual([512, 512, 512, 751, 1500])
  })
})
