// SPDX-License-Identifier: Apache-2.0

import { argmax, type Decoder } from './decoder.ts'
import type { PromptInput } from './prompt.ts'
import type { ReleaseConfig } from './release-config.ts'
import { type Repetition, RepetitionGuard, withoutRepeats } from './repetition.ts'

/** One sequence to be decoded greedily. */
export interface DecodeRequest {
  /** called when there is room in the batch */
  prepare(): Promise<PromptInput>
  readonly maxNewTokens: number
  /** stop loops and leave their repeats out */
  readonly stopLoops: boolean
  /** what the first tokens may be: as many as it is right about cost no step */
  readonly draft?: readonly number[]
  /** give the attention of the tokens, where the decoder has it */
  readonly wantsAttention?: boolean
  /** stops between two tokens by throwing its reason */
  readonly signal?: AbortSignal | undefined
  /** called after every token, with all so far; the end token is none */
  readonly onToken?: ((tokens: readonly number[]) => void) | undefined
}

/** Greedy tokens, the end token left out. */
export interface Decoded {
  readonly tokens: readonly number[]
  /** how many were computed: more than there are when a loop was cut out */
  readonly generated: number
  /** why decoding stopped: an end token, the token limit, or a loop */
  readonly ending: 'end' | 'limit' | 'loop'
  /** the loop that was stopped; its repeats are not among the tokens */
  readonly loop?: Repetition
  /** to the audio features, of each token and, where there was one, of what came after the last: [tokens + 1][features] */
  readonly attention?: readonly Float32Array[]
  /** of the prompt's run, in seconds */
  readonly prefill: number
  /** of the steps; a step of several sequences counts for each in equal parts */
  readonly decode: number
}

/** Decodes one sequence; calls that overlap are decoded together, as many as the batch holds. */
export type Decode = (request: DecodeRequest) => Promise<Decoded>

interface Job {
  readonly request: DecodeRequest
  readonly tokens: number[]
  /** of the tokens and of what ended them */
  readonly attention: Float32Array[]
  /** where the audio features are in the sequence, once it has begun */
  audio: { readonly start: number; readonly end: number }
  readonly guard: RepetitionGuard
  /** again from the start, after a step of several sequences has failed */
  readonly isAlone: boolean
  /** seconds */
  prefill: number
  decode: number
  resolve(decoded: Decoded): void
  reject(error: unknown): void
}

/**
 * Decode sequences together: whenever one has ended, the next takes its place, and the others do not wait for it.
 * @param size sequences at once
 */
export function makeDecodeLoop(decoder: Decoder, config: ReleaseConfig, size: number): Decode {
  const waiting: Job[] = []
  /** by row of the decoder */
  const active: Job[] = []
  const lastTokens: number[] = []
  let isRunning = false

  const run = async () => {
    if (isRunning) return
    isRunning = true
    while (waiting.length + active.length > 0) {
      dropAborted()
      await admit()
      if (active.length > 0) await advance().catch(failed)
    }
    isRunning = false
  }
  const admit = async () => {
    while (active.length < size && !active[0]?.isAlone) {
      const [job] = waiting
      if (!job || (job.isAlone && active.length > 0)) return
      waiting.shift()
      await start(job).catch((error) => {
        job.reject(error)
        if (decoder.rows !== active.length) startOver() // there is a row that nobody is in
      })
    }
  }
  const start = async (job: Job) => {
    job.request.signal?.throwIfAborted()
    const input = await job.request.prepare()
    job.request.signal?.throwIfAborted()
    const started = performance.now()
    const draft = decoder.takesDrafts ? (job.request.draft ?? []) : []
    const logits = await decoder.prefill([input], draft)
    const tokens = firstTokens(logits, draft)
    job.prefill = (performance.now() - started) / 1000
    const { audioOffset } = input.prompt
    job.audio = { start: audioOffset, end: audioOffset + input.features.length / config.hiddenSize }
    const row = active.push(job) - 1
    for (const [i, token] of tokens.entries()) {
      take(row, token, i)
      if (active[row] !== job) return
    }
    decoder.shorten(row, draft.length - (tokens.length - 1))
  }
  /** One token, and one more for each of the draft that came true. */
  const firstTokens = (logits: Float32Array, draft: readonly number[]): number[] => {
    const tokens = [argmax(logits, 0, config.vocabSize)]
    for (const [i, token] of draft.entries()) {
      if (token !== tokens[i]) break
      tokens.push(argmax(logits, i + 1, config.vocabSize))
    }
    return tokens
  }
  const advance = async () => {
    const started = performance.now()
    lastTokens.length = active.length
    for (let row = 0; row < active.length; row++) lastTokens[row] = active[row]?.tokens.at(-1) as number
    const logits = await decoder.step(lastTokens)
    const tokens = active.map((_, row) => argmax(logits, row, config.vocabSize))
    const share = (performance.now() - started) / 1000 / active.length
    // from the last row on, as the last takes the place of one that leaves
    for (let row = active.length - 1; row >= 0; row--) {
      ;(active[row] as Job).decode += share
      take(row, tokens[row] as number, row)
    }
  }
  /** @param index of its logits among those of the call */
  const take = (row: number, token: number, index: number) => {
    const job = active[row] as Job
    try {
      if (job.request.wantsAttention && decoder.alignsWords)
        job.attention.push(decoder.attention(index).slice(job.audio.start, job.audio.end))
      const ended = accept(job, token, config.endIds)
      if (!ended) return
      leave(row)
      job.resolve(ended)
    } catch (error) {
      leave(row)
      job.reject(error)
    }
  }
  const leave = (row: number) => {
    decoder.remove(row)
    const last = active.pop() as Job
    if (row < active.length) active[row] = last
  }
  const dropAborted = () => {
    for (let i = waiting.length - 1; i >= 0; i--) {
      const { request, reject } = waiting[i] as Job
      if (!request.signal?.aborted) continue
      waiting.splice(i, 1)
      reject(request.signal.reason)
    }
    for (let row = active.length - 1; row >= 0; row--) {
      const { request, reject } = active[row] as Job
      if (!request.signal?.aborted) continue
      leave(row)
      reject(request.signal.reason)
    }
  }
  /** What fails for several sequences is tried again with each alone: it may be the fault of one, or of their number. */
  const failed = (error: unknown) => {
    if (active.length > 1) return startOver()
    active.pop()?.reject(error)
    decoder.clear()
  }
  const startOver = () => {
    decoder.clear()
    const again = active.splice(0).map((job) => makeJob(job.request, job.resolve, job.reject, true))
    waiting.unshift(...again)
  }
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push(makeJob(request, resolve, reject, false))
      void run()
    })
}

function makeJob(
  request: DecodeRequest,
  resolve: Job['resolve'],
  reject: Job['reject'],
  isAlone: boolean,
): Job {
  const guard = new RepetitionGuard()
  const audio = { start: 0, end: 0 }
  return { request, tokens: [], attention: [], audio, guard, isAlone, prefill: 0, decode: 0, resolve, reject }
}

/** @returns what was decoded when `token` ends it */
function accept(job: Job, token: number, endIds: readonly number[]): Decoded | undefined {
  const { request, tokens, guard } = job
  if (endIds.includes(token)) return decoded(job, 'end')
  tokens.push(token)
  const loop = request.stopLoops ? guard.add(token) : undefined
  if (loop) return decoded(job, 'loop', loop)
  request.onToken?.(tokens)
  return tokens.length < request.maxNewTokens ? undefined : decoded(job, 'limit')
}

function decoded(job: Job, ending: Decoded['ending'], loop?: Repetition): Decoded {
  const { tokens, attention, prefill, decode } = job
  const kept = loop ? withoutRepeats(tokens, loop) : tokens
  return {
    ...{ tokens: kept, generated: tokens.length, ending, prefill, decode },
    ...(loop && { loop }),
    // at the limit nothing came after the last token
    ...(attention.length > 0 && { attention: attention.slice(0, kept.length + 1) }),
  }
}
