// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type DecodeRequest, makeDecodeLoop } from '../../eval/runtime/decode-loop.ts'
import type { Decoder } from '../../eval/runtime/decoder.ts'
import type { PromptInput } from '../../eval/runtime/prompt.ts'
import type { ReleaseConfig } from '../../eval/runtime/release-config.ts'

const END = 9
const VOCAB = 10
const CONFIG: ReleaseConfig = {
  ...{ hiddenSize: 1, vocabSize: VOCAB, endIds: [END], embeddingShape: [VOCAB, 1], quantization: {} },
  cache: { layers: 1, heads: 1, headDim: 1 },
}

/** A decoder that says what its prompt says, and checks that it is fed what it said. */
function scripted(fails: (step: number, rows: number) => boolean = () => false) {
  const rows: { readonly script: readonly number[]; at: number }[] = []
  const seen = { most: 0, prefills: 0, steps: 0 }
  const logitsOf = (wanted: readonly number[]) => {
    const logits = new Float32Array(wanted.length * VOCAB)
    for (const [row, token] of wanted.entries()) logits[row * VOCAB + token] = 1
    return logits
  }
  const say = (row: (typeof rows)[number]) => row.script[row.at++] ?? END
  const decoder: Decoder = {
    ...{
      layout: 'fused',
      prefillKind: 'same',
      maxRows: Number.POSITIVE_INFINITY,
      takesDrafts: true,
      alignsWords: false,
    },
    get rows() {
      return rows.length
    },
    async prefill(inputs, draft = []) {
      await sleep(0)
      const added = inputs.map(({ prompt }) => ({ script: prompt.ids, at: 0 }))
      rows.push(...added)
      seen.prefills++
      seen.most = Math.max(seen.most, rows.length)
      const [row] = added
      if (draft.length === 0 || !row) return logitsOf(added.map(say))
      // behind a token that its script does not have, the model says anything
      const isTrue = (length: number) => draft.slice(0, length).every((token, i) => token === row.script[i])
      row.at = 1 + draft.length
      return logitsOf([...draft, 0].map((_, i) => (isTrue(i) ? (row.script[i] ?? END) : 7)))
    },
    async step(tokens) {
      await sleep(0)
      if (fails(seen.steps++, rows.length)) throw new Error('the step failed')
      expect(tokens).toEqual(rows.map(({ script, at }) => script[at - 1]))
      return logitsOf(rows.map(say))
    },
    attention: () => new Float32Array(0),
    shorten(row, positions) {
      ;(rows[row] as { at: number }).at -= positions
    },
    remove(row) {
      rows[row] = rows.at(-1) as (typeof rows)[number]
      rows.pop()
    },
    clear: () => rows.splice(0),
    release: async () => {},
  }
  return { decoder, seen }
}

function request(ids: readonly number[], more: Partial<DecodeRequest> = {}): DecodeRequest {
  const input: PromptInput = { prompt: { ids, audioOffset: 0 }, features: new Float32Array() }
  return { prepare: async () => input, maxNewTokens: 100, stopLoops: false, ...more }
}

const scripts = Array.from({ length: 25 }, (_, i) =>
  Array.from({ length: 1 + ((i * 7) % 11) }, (_, k) => (i + k) % END),
)

describe('the decode loop', () => {
  it.each([1, 3, 8, 40])('gives each request its own tokens, %i at once', async (size) => {
    const { decoder, seen } = scripted()
    const decode = makeDecodeLoop(decoder, CONFIG, size)
    const decoded = await Promise.all(scripts.map((ids) => decode(request(ids))))
    expect(decoded.map(({ tokens }) => tokens)).toEqual(scripts)
    expect(decoded.map(({ ending }) => ending)).toEqual(scripts.map(() => 'end'))
    expect(seen.most).toBe(Math.min(size, scripts.length))
    expect(seen.prefills).toBe(scripts.length)
    expect(decoder.rows).toBe(0)
  })

  it.each([
    ['none', [], 6],
    ['all of it right', [1, 2, 3], 3],
    ['right but for its end', [1, 2, 4], 4],
    ['wrong from the start', [2, 2, 3], 6],
    ['the whole text', [1, 2, 3, 4, 5, 6], 0],
    ['longer than the text', [1, 2, 3, 4, 5, 6, 7], 0],
  ])('a draft changes no token: %s', async (_, draft, steps) => {
    const { decoder, seen } = scripted()
    const decode = makeDecodeLoop(decoder, CONFIG, 1)
    const told: number[] = []
    const onToken = (tokens: readonly number[]) => void told.push(tokens.length)
    const { tokens, ending } = await decode(request([1, 2, 3, 4, 5, 6], { draft, onToken }))
    expect({ tokens, ending }).toEqual({ tokens: [1, 2, 3, 4, 5, 6], ending: 'end' })
    expect(told).toEqual([1, 2, 3, 4, 5, 6])
    expect(seen.steps).toBe(steps)
    expect(decoder.rows).toBe(0)
  })

  it('stops inside of a draft, at the limit and at its own stop', async () => {
    const { decoder, seen } = scripted()
    const decode = makeDecodeLoop(decoder, CONFIG, 1)
    const draft = [1, 2, 3, 4]
    expect(await decode(request([1, 2, 3, 4, 5], { draft, maxNewTokens: 2 }))).toMatchObject({
      ...{ tokens: [1, 2], ending: 'limit' },
    })
    const onToken = () => {
      throw new Error('enough')
    }
    await expect(decode(request([1, 2, 3, 4, 5], { draft, onToken }))).rejects.toThrow('enough')
    expect(seen.steps).toBe(0)
    expect(decoder.rows).toBe(0)
    expect((await decode(request([3, 4]))).tokens).toEqual([3, 4])
  })

  it('needs fewer steps together than one by one', async () => {
    const [alone, together] = [scripted(), scripted()]
    const one = makeDecodeLoop(alone.decoder, CONFIG, 1)
    await Promise.all(scripts.map((ids) => one(request(ids))))
    const many = makeDecodeLoop(together.decoder, CONFIG, 8)
    await Promise.all(scripts.map((ids) => many(request(ids))))
    expect(together.seen.steps * 4).toBeLessThan(alone.seen.steps)
  })

  it('stops at the limit, at a first token that ends, and in loops', async () => {
    const decode = makeDecodeLoop(scripted().decoder, CONFIG, 4)
    const loop = Array.from({ length: 60 }, (_, i) => [1, 2, 3][i % 3] as number)
    const [limit, empty, single, looped] = await Promise.all([
      decode(request([1, 2, 3, 4], { maxNewTokens: 2 })),
      decode(request([])),
      decode(request([5, 6], { maxNewTokens: 1 })),
      decode(request(loop, { stopLoops: true })),
    ])
    expect(limit).toMatchObject({ tokens: [1, 2], ending: 'limit', generated: 2 })
    expect(empty).toMatchObject({ tokens: [], ending: 'end', generated: 0 })
    expect(single).toMatchObject({ tokens: [5], ending: 'limit' })
    expect(looped).toMatchObject({ ending: 'loop' })
    expect(looped?.tokens.length).toBeLessThan(looped?.generated ?? 0)
  })

  it('reports tokens as they come, and lets a request stop alone', async () => {
    const { decoder } = scripted()
    const decode = makeDecodeLoop(decoder, CONFIG, 3)
    const stop = new AbortController()
    const told: number[] = []
    const long = Array.from({ length: 50 }, (_, i) => i % END)
    const stopped = decode(
      request(long, {
        signal: stop.signal,
        onToken: (tokens) => {
          told.push(tokens.length)
          if (tokens.length === 4) stop.abort(new Error('enough'))
        },
      }),
    )
    const waiting = decode(request(long, { signal: AbortSignal.abort(new Error('never began')) }))
    const other = decode(request(long))
    const settled = await Promise.allSettled([stopped, waiting, other])
    const reasons = settled.map((result) => result.status === 'rejected' && result.reason.message)
    expect(reasons).toEqual(['enough', 'never began', false])
    expect((await other).tokens).toEqual(long)
    expect(told).toEqual([1, 2, 3, 4])
    expect(decoder.rows).toBe(0)
  })

  it('keeps the failure of one request from the others, and tries each alone when a step of several fails', async () => {
    const { decoder, seen } = scripted((step, rows) => rows > 1 && step === 3)
    const decode = makeDecodeLoop(decoder, CONFIG, 2)
    const broken = decode(
      request([1], {
        prepare: async () => {
          throw new Error('no features')
        },
      }),
    )
    const [a, b, later] = [
      [1, 2, 3, 4, 5, 6],
      [2, 3, 4, 5, 6, 7],
      [3, 4],
    ]
    const told: number[] = []
    const jobs = [a, b, later].map((ids) =>
      decode(request(ids, ids === a ? { onToken: (tokens) => told.push(tokens.length) } : {})),
    )
    const settled = await Promise.allSettled([broken, ...jobs])
    const found = settled.map((result) =>
      result.status === 'rejected' ? result.reason.message : result.value.tokens,
    )
    expect(found).toEqual(['no features', a, b, later])
    expect(seen.prefills).toBe(5)
    expect(told).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 5, 6])
  })

  it('a sequence that fails alone fails, and the next is decoded', async () => {
    const { decoder } = scripted((step) => step === 1)
    const decode = makeDecodeLoop(decoder, CONFIG, 1)
    const settled = await Promise.allSettled([decode(request([1, 2, 3, 4])), decode(request([3, 4]))])
    expect(settled[0]).toMatchObject({ status: 'rejected', reason: { message: 'the step failed' } })
    expect(settled[1]).toMatchObject({ value: { tokens: [3, 4] } })
  })

  it('a prompt that fails with its row half added takes no other with it', async () => {
    const { decoder } = scripted()
    let prefills = 0
    const prefill = decoder.prefill.bind(decoder)
    decoder.prefill = async (inputs) => {
      const logits = await prefill(inputs)
      if (++prefills === 2) throw new Error('no memory')
      return logits
    }
    const decode = makeDecodeLoop(decoder, CONFIG, 3)
    const settled = await Promise.allSettled(
      [
        [1, 2, 3],
        [4, 5],
        [6, 7, 8],
      ].map((ids) => decode(request(ids))),
    )
    const found = settled.map((result) =>
      result.status === 'rejected' ? result.reason.message : result.value.tokens,
    )
    expect(found).toEqual([[1, 2, 3], 'no memory', [6, 7, 8]])
    expect(decoder.rows).toBe(0)
  })

  it('a listener that throws ends its own request', async () => {
    const decode = makeDecodeLoop(scripted().decoder, CONFIG, 2)
    const throwing = decode(
      request([1, 2, 3], {
        onToken: () => {
          throw new Error('no room')
        },
      }),
    )
    const other = decode(request([4, 5]))
    await expect(throwing).rejects.toThrow('no room')
    expect((await other).tokens).toEqual([4, 5])
  })
})
