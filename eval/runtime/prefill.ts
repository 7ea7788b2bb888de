// SPDX-License-Identifier: Apache-2.0

import { PREFILL, prefillRecipe } from './graphs.ts'
import { emptyPast } from './kv-cache.ts'
import type { LoadCache } from './load-cache.ts'
import { addMappedWeights, type MappedWeight } from './mapped-weights.ts'
import { type InferenceSession, Tensor } from './onnxruntime.ts'
import { GIVES_BACK } from './platform/sessions.ts'
import { startModule } from './platform/threads.ts'
import { readPrefillRecipe } from './prefill-weights.ts'
import type { PrefillJob, PrefillReply, PrefillWeights } from './prefill-worker.ts'
import { findStored } from './prompt-cache.ts'
import type { PromptHead } from './prompt-head.ts'
import { graphPath } from './release.ts'
import { openGraph, openSession, type SessionOptions, type Source } from './session.ts'
import { SpeechError } from './speech-error.ts'

/* The graph that runs prompts with 8-bit products: its weights are made when it is loaded. */

/** The fused layout's other graph for prompts: no logits, and products of int8 by uint8. */
export interface Prefill {
  /**
   * @param embeds [rows, length, hidden]
   * @param head what the rows begin with, where it has been computed; `embeds` is what follows
   * @param values where keys and values are written, in the order of `outputs`: [rows, kv_heads, length, head_dim]
   */
  run(embeds: Tensor, values: readonly Float32Array[], head?: PromptHead): Promise<void>
  release(): Promise<void>
}

/** What a prefill graph is fed besides the prompt. */
export interface PrefillShape {
  /** of inputs that take the past, which is empty */
  readonly past: readonly string[]
  readonly outputs: readonly string[]
  readonly heads: number
  readonly headDim: number
}

/**
 * Begin to make the graph's weights, in a thread of their own: sessions load meanwhile.
 * @param cache where they are kept for the next load
 * @returns what opens the graph when they are there
 */
export function preparePrefill(
  source: Source,
  cache?: LoadCache,
): (shape: PrefillShape, options: SessionOptions) => Promise<Prefill> {
  const open = preparePromptGraph(source, PREFILL, cache)
  return async (shape, options) => openPrefill(await open(options, GIVES_BACK), shape)
}

/** A graph with 8-bit products. */
export interface PromptGraph {
  readonly session: InferenceSession
  /** what every run is fed: the weights, where they are not kept in a cache */
  readonly fixed: Readonly<Record<string, Tensor>>
}

/**
 * Begin to make the weights of a graph with 8-bit products, in a thread of their own: sessions load meanwhile.
 * @param cache where they are kept for the next load
 * @returns what opens the graph when they are there
 */
export function preparePromptGraph(
  source: Source,
  graph: string,
  cache?: LoadCache,
): (options: SessionOptions, more?: InferenceSession.SessionOptions) => Promise<PromptGraph> {
  const weights = findWeights(source, cache)
  weights.catch(() => undefined) // the code that opens the graph gets the error
  return async (options, more) => openWith(await weights, source, graph, options, more)
}

/** A thread takes longer to start than to find what is in the cache. */
async function findWeights(
  { release: { folder, family }, variant }: Source,
  cache: LoadCache | undefined,
): Promise<PrefillWeights> {
  const recipe = prefillRecipe(variant.name, family)
  const stored = cache && (await findStored(cache, await readPrefillRecipe(folder, recipe)))
  return stored ? { stored } : weightsInThread({ folder, recipe, cache })
}

async function openPrefill(
  { session, fixed }: PromptGraph,
  { past, outputs, heads, headDim }: PrefillShape,
): Promise<Prefill> {
  const pastNames = past.filter((name) => session.inputNames.includes(name))
  const known = new Set([...Object.keys(fixed), ...pastNames, 'input_embeds', 'past_lengths'])
  const unknown = session.inputNames.filter((name) => !known.has(name))
  if (unknown.length > 0) {
    await session.release()
    throw new SpeechError(
      `${PREFILL} needs the inputs ${unknown.slice(0, 3).join(', ')}, which its recipe does not describe.`,
      'The files are of different releases.',
    )
  }
  return {
    async run(embeds, values, head) {
      const [rows = 0, length = 0] = embeds.dims
      const dims = [rows, heads, length, headDim]
      const fetches = outputs.map((name, i) => [name, new Tensor('float32', values[i] as Float32Array, dims)])
      const feeds = {
        ...fixed,
        ...(head
          ? Object.fromEntries(pastNames.map((name) => [name, head.feeds[name] as Tensor]))
          : emptyPast(pastNames, rows, { heads, headDim })),
        input_embeds: embeds,
        past_lengths: new Tensor('int64', new BigInt64Array(rows).fill(BigInt(head?.length ?? 0)), [rows]),
      }
      await session.run(feeds, Object.fromEntries(fetches))
    },
    release: () => session.release(),
  }
}

async function openWith(
  weights: PrefillWeights,
  source: Source,
  graph: string,
  options: SessionOptions,
  more?: InferenceSession.SessionOptions,
): Promise<PromptGraph> {
  if ('stored' in weights) {
    const { folder, weights: stored } = weights.stored
    const path = graphPath(source.release, source.variant, graph)
    return {
      session: await openGraph(path, { bytes: mappedPrefill(path, stored), folder }, options, more),
      fixed: {},
    }
  }
  const fixed: Record<string, Tensor> = {}
  for (const { name, K, N, levels, columns } of weights.made) {
    fixed[`${name}.int8`] = new Tensor('int8', levels, [K, N])
    fixed[`${name}.scale`] = new Tensor('float32', columns, [N])
  }
  return { session: await openSession(source, graph, options, more), fixed }
}

/** @throws SpeechError when the graph, or a data file of its, ends too early */
function mappedPrefill(path: string, weights: readonly MappedWeight[]): Buffer {
  try {
    return addMappedWeights(path, weights)
  } catch (error) {
    throw new SpeechError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

function weightsInThread(job: PrefillJob): Promise<PrefillWeights> {
  const thread = startModule<never, PrefillReply>('./prefill-worker.ts', job)
  return new Promise((resolve, reject) => {
    thread.onMessage((reply) => {
      if ('message' in reply) reject(new SpeechError(reply.message, reply.hint))
      else resolve(reply)
    })
    thread.ended.then(({ code, error }) =>
      reject(error ?? new Error(`The thread that makes prefill weights ended (code ${code}).`)),
    )
  })
}
