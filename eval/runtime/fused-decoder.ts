// SPDX-License-Identifier: Apache-2.0

import type { Decoder, DecoderOptions } from './decoder.ts'
import { DeviceKvCache } from './device-kv-cache.ts'
import { ON_DEVICE, openDeviceMoves } from './device-moves.ts'
import type { EmbeddingTable } from './embeddings.ts'
import { LAYOUTS } from './graphs.ts'
import { EMPTY_PAST, emptyPast, KvCache } from './kv-cache.ts'
import { type CacheShape, type KvStore, roundUp } from './kv-store.ts'
import { type InferenceSession, Tensor } from './onnxruntime.ts'
import { WRITES_OUTPUTS } from './platform/sessions.ts'
import type { preparePrefill } from './prefill.ts'
import type { PromptInput } from './prompt.ts'
import { makeHeadKeeper } from './prompt-head.ts'
import { ends, lastRows, newRows, promptBatch, shorter, tail } from './prompt-rows.ts'
import { providerOf } from './providers.ts'
import { floats, openSession, output, type Source } from './session.ts'
import { steadyRows } from './steady-rows.ts'

/**
 * Load the fused layout: one graph for prompts and steps. It reads the KV cache and returns the new positions' keys and
 * values alone, so that a step costs what its weights cost, however long the past is. Prompts run one by one, since they
 * fill the processor anyway and need no padding then; steps run for all rows at once, since they cost reading the weights.
 * @throws SpeechError when the graph is missing or refused
 */
export async function openFusedDecoder(
  source: Source,
  embeddings: EmbeddingTable,
  options: DecoderOptions,
  openPrefill: ReturnType<typeof preparePrefill> | undefined,
): Promise<Decoder> {
  const { config } = source.release
  const names = tensorNames(config.cache.layers)
  // prompts in 8 bits run on the processor, and write into the program's memory
  const isOnDevice = !openPrefill && (options.kv ?? providerOf(options.provider).kv) === 'device'
  const outputs = isOnDevice ? { preferredOutputLocation: onDevice(names.fresh) } : {}
  const session = await openSession(source, LAYOUTS.fused[0], options, outputs)
  const { hiddenSize, vocabSize } = config
  const takesDrafts = givesSeveralLogits(session)
  const rowStep = options.isSteady ? steadyRows(source.variant.precision.get(LAYOUTS.fused[0])) : 1
  const host = isOnDevice ? undefined : new KvCache(config.cache, names.past, rowStep)
  const cache: KvStore = host ?? (await openDeviceCache(config.cache, names.past, options, rowStep))
  const prefillGraph = await openPrefill?.(
    { past: names.past, outputs: names.fresh, ...config.cache },
    options,
  )
  const alignsWords = session.outputNames.includes(ALIGNMENT)
  // the runtime writes into tensors that it is given where it places none itself
  const writes = WRITES_OUTPUTS && !isOnDevice
  const logits = makeLogits(vocabSize, alignsWords ? [...names.fresh, ALIGNMENT] : names.fresh, writes)
  let attention: Attention | undefined
  let fresh: readonly Tensor[] = []
  let batch = makeBatch(0, hiddenSize)

  /** @param unused positions of a past that holds nothing */
  const run = async (feeds: InferenceSession.FeedsType, rows: number, positions = 1, unused = 0) => {
    const { values: given, fetches } = logits(rows, positions)
    const results = await session.run(feeds, fetches)
    const values = given ?? floats(output(results, LOGITS))
    fresh = names.fresh.map((name) => output(results, name))
    if (alignsWords) {
      const alignment = output(results, ALIGNMENT)
      attention = { weights: floats(alignment), width: alignment.dims[2] ?? 0, unused }
    }
    return values
  }
  const heads = makeHeadKeeper(names.past, async (ids) => {
    const embeds = promptBatch(
      [{ prompt: { ids, audioOffset: 0 }, features: NOTHING }],
      ids.length,
      embeddings,
    )
    if (!prefillGraph) {
      const past = emptyPast(names.past, 1, config.cache)
      await run({ ...past, ...newRows(embeds, [ids.length], [0]) }, 1, 1, EMPTY_PAST)
      return fresh
    }
    const { heads: keyHeads, headDim } = config.cache
    const arrays = names.past.map(() => new Float32Array(keyHeads * ids.length * headDim))
    await prefillGraph.run(embeds, arrays)
    return arrays.map((values) => new Tensor('float32', values, [1, keyHeads, ids.length, headDim]))
  })
  return {
    layout: 'fused',
    prefillKind: prefillGraph ? 'int8' : 'same',
    maxRows: Number.POSITIVE_INFINITY,
    takesDrafts,
    alignsWords,
    get rows() {
      return cache.rows
    },
    async prefill(inputs, draft = []) {
      const positions = 1 + draft.length
      if (positions > 1 && !(takesDrafts && inputs.length === 1))
        throw new RangeError(`A draft was given with ${inputs.length} prompts.`)
      const whole = inputs.map(({ prompt }) => prompt.ids.length)
      const all = promptBatch(inputs, Math.max(...whole), embeddings, draft)
      const isAlone = inputs.length === 1 && options.keepsHead !== false
      const head = isAlone ? await heads.of((inputs[0] as PromptInput).prompt) : undefined
      const embeds = head ? tail(all, head.length) : all
      const past = whole.map(() => head?.length ?? 0)
      const lengths = whole.map((length) => length - (head?.length ?? 0))
      if (!prefillGraph || !host) {
        const known = head?.feeds ?? emptyPast(names.past, inputs.length, config.cache)
        const feeds = { ...known, ...newRows(embeds, ends(lengths, positions), past) }
        const values = await run(feeds, inputs.length, positions, head ? 0 : EMPTY_PAST)
        const added = lengths.map((length) => length + draft.length)
        await cache.addRows(fresh, added, head)
        return values
      }
      // all tokens but the prompt's last one, which goes through the graph that has logits
      const before = lengths.map((length) => length - 1)
      const first = host.rows
      await prefillGraph.run(shorter(embeds, positions), host.openRows(before, head), head)
      host.closeRows(before, head)
      if (positions > 1) await host.reserve(positions)
      const [ones, done] = [whole.map(() => 1), whole.map((length) => length - 1)]
      const last = newRows(lastRows(embeds, before, positions), ends(ones, positions), done)
      const values = await run({ ...last, ...host.feedsFrom(first) }, inputs.length, positions)
      await host.append(fresh, first, inputs.length, positions)
      return values
    },
    async step(tokens) {
      const { rows } = cache
      if (tokens.length !== rows)
        throw new RangeError(`Found ${tokens.length} tokens for a batch of ${rows} rows.`)
      const fed = roundUp(rows, rowStep)
      if (batch.rows !== fed) batch = makeBatch(fed, hiddenSize)
      await cache.reserve()
      for (let row = 0; row < rows; row++) {
        embeddings.read(tokens[row] as number, batch.embeds, row * hiddenSize)
        batch.pastLengths[row] = BigInt(cache.lengths[row] as number)
      }
      batch.pastLengths.fill(0n, rows)
      if (batch.past !== cache.feeds) {
        batch.past = cache.feeds
        Object.assign(batch.feeds, cache.feeds)
      }
      const values = await run(batch.feeds, fed)
      await cache.append(fresh, 0, fed)
      return fed === rows ? values : values.subarray(0, rows * vocabSize)
    },
    attention(index) {
      if (!attention) throw new RangeError('The graph says nothing about attention, or has not run.')
      const { weights, width, unused } = attention
      return weights.subarray(index * width + unused, (index + 1) * width)
    },
    shorten: (row, positions) => cache.shorten(row, positions),
    remove: (row) => cache.removeRow(row),
    clear: () => cache.clear(),
    async release() {
      heads.release()
      await cache.release()
      await session.release()
      await prefillGraph?.release()
    },
  }
}

async function openDeviceCache(
  shape: CacheShape,
  names: readonly string[],
  options: DecoderOptions,
  rowStep: number,
): Promise<KvStore> {
  return new DeviceKvCache(shape, names, await openDeviceMoves(names.length, shape, options), rowStep)
}

function onDevice(names: readonly string[]): Record<string, typeof ON_DEVICE> {
  return Object.fromEntries(names.map((name) => [name, ON_DEVICE]))
}

/** Graphs of older releases give the logits of one position only. */
function givesSeveralLogits({ outputMetadata }: InferenceSession): boolean {
  const logits = outputMetadata.find(({ name }) => name === LOGITS)
  return logits?.isTensor === true && typeof logits.shape[1] === 'string'
}

/** Names of the cache's tensors, key and value of each layer in turn. */
function tensorNames(layers: number): {
  readonly past: readonly string[]
  readonly fresh: readonly string[]
} {
  const suffixes = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat()
  return {
    past: suffixes.map((name) => `past_key_values.${name}`),
    fresh: suffixes.map((name) => `new.${name}`),
  }
}

interface Batch {
  readonly rows: number
  /** [rows, 1, hidden] */
  readonly embeds: Float32Array
  /** [rows] */
  readonly pastLengths: BigInt64Array
  readonly feeds: Record<string, Tensor>
  /** the cache's tensors that are among the feeds */
  past: object | undefined
}

/** A step's inputs, written again for every token, and made again only when the number of rows changes. */
function makeBatch(rows: number, hiddenSize: number): Batch {
  const embeds = new Float32Array(rows * hiddenSize)
  const pastLengths = new BigInt64Array(rows)
  const feeds = {
    input_embeds: new Tensor('float32', embeds, [rows, 1, hiddenSize]),
    input_lengths: new Tensor('int64', new BigInt64Array(rows).fill(1n), [rows]),
    past_lengths: new Tensor('int64', pastLengths, [rows]),
  }
  return { rows, embeds, pastLengths, feeds, past: undefined }
}

const NOTHING = new Float32Array(0)

const LOGITS = 'logits'

/** The output with which words have times. Graphs of older releases lack it. */
const ALIGNMENT = 'alignment'

interface Attention {
  /** [rows * positions, width] */
  readonly weights: Float32Array
  readonly width: number
  /** positions in front of the sequence */
  readonly unused: number
}

interface Logits {
  /** [rows, positions, vocab]; undefined where the runtime makes them again */
  readonly values: Float32Array | undefined
  readonly fetches: Record<string, Tensor | null>
}

/** Where the runtime writes logits: one buffer, as large as the most rows so far. */
function makeLogits(
  vocab: number,
  others: readonly string[],
  writes: boolean,
): (rows: number, positions: number) => Logits {
  let buffer = new Float32Array(0)
  let last: { readonly rows: number; readonly positions: number; readonly logits: Logits } | undefined
  return (rows, positions) => {
    if (last?.rows === rows && last.positions === positions) return last.logits
    const fetches: Record<string, Tensor | null> = Object.fromEntries(
      [...others, LOGITS].map((name) => [name, null]),
    )
    if (!writes) return { values: undefined, fetches }
    const size = rows * positions * vocab
    if (buffer.length < size) buffer = new Float32Array(size)
    const values = buffer.subarray(0, size)
    fetches[LOGITS] = new Tensor('float32', values, [rows, positions, vocab])
    const logits = { values, fetches }
    last = { rows, positions, logits }
    return logits
  }
}
