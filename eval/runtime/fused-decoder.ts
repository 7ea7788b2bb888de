import type { Decoder, DecoderOptions, PromptInput } from './decoder.ts'
import type { EmbeddingTable } from './embeddings.ts'
import { LAYOUTS } from './graphs.ts'
import { emptyPast, KvCache, roundUp } from './kv-cache.ts'
import { type InferenceSession, Tensor } from './onnxruntime.ts'
import type { preparePrefill } from './prefill.ts'
import { promptEmbeddings } from './prompt.ts'
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
  const session = await openSession(source, LAYOUTS.fused[0], options)
  const { hiddenSize, vocabSize } = config
  const names = tensorNames(config.cache.layers)
  const rowStep = options.isSteady ? steadyRows(source.variant.precision.get(LAYOUTS.fused[0])) : 1
  const cache = new KvCache(config.cache, names.past, rowStep)
  const prefillGraph = await openPrefill?.(
    { past: names.past, outputs: names.fresh, ...config.cache },
    options,
  )
  const logits = makeLogits(vocabSize, names.fresh)
  const fresh = new Array<Float32Array>(names.fresh.length)
  let batch = makeBatch(0, hiddenSize)

  const run = async (feeds: InferenceSession.FeedsType, rows: number) => {
    const { values, fetches } = logits(rows)
    const results = await session.run(feeds, fetches)
    for (let i = 0; i < fresh.length; i++) fresh[i] = floats(output(results, names.fresh[i] as string))
    return values
  }
  return {
    layout: 'fused',
    prefillKind: prefillGraph ? 'int8' : 'same',
    maxRows: Number.POSITIVE_INFINITY,
    get rows() {
      return cache.rows
    },
    async prefill(inputs) {
      const lengths = inputs.map(({ prompt }) => prompt.ids.length)
      const embeds = promptBatch(inputs, Math.max(...lengths), embeddings)
      if (!prefillGraph) {
        const none = lengths.map(() => 0)
        const past = emptyPast(names.past, inputs.length, config.cache)
        const values = await run({ ...past, ...newRows(embeds, lengths, none) }, inputs.length)
        cache.addRows(fresh, lengths)
        return values
      }
      // all tokens but the last one, which goes through the graph that has logits
      const [before, ones] = [lengths.map((length) => length - 1), lengths.map(() => 1)]
      const first = cache.rows
      await prefillGraph.run(shorter(embeds), cache.openRows(before))
      cache.closeRows(before)
      const feeds = { ...newRows(lastRows(embeds, lengths), ones, before), ...cache.feedsFrom(first) }
      const values = await run(feeds, inputs.length)
      cache.append(fresh, first)
      return values
    },
    async step(tokens) {
      const { rows } = cache
      if (tokens.length !== rows)
        throw new RangeError(`Found ${tokens.length} tokens for a batch of ${rows} rows.`)
      const fed = roundUp(rows, rowStep)
      if (batch.rows !== fed) batch = makeBatch(fed, hiddenSize)
      cache.reserve()
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
      cache.append(fresh, 0, fed)
      return fed === rows ? values : values.subarray(0, rows * vocabSize)
    },
    remove: (row) => cache.removeRow(row),
    clear: () => cache.clear(),
    async release() {
      await session.release()
      await prefillGraph?.release()
    },
  }
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

/** A step's inputs, written anew for every token, and made anew only when the number of rows changes. */
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

interface Logits {
  /** [rows, vocab] */
  readonly values: Float32Array
  readonly fetches: Record<string, Tensor | null>
}

/** Where the runtime writes logits: one buffer, as large as the most rows so far. */
function makeLogits(vocab: number, others: readonly string[]): (rows: number) => Logits {
  let buffer = new Float32Array(0)
  let last: { readonly rows: number; readonly logits: Logits } | undefined
  return (rows) => {
    if (last?.rows === rows) return last.logits
    if (buffer.length < rows * vocab) buffer = new Float32Array(rows * vocab)
    const values = buffer.subarray(0, rows * vocab)
    const fetches: Record<string, Tensor | null> = Object.fromEntries(others.map((name) => [name, null]))
    fetches['logits'] = new Tensor('float32', values, [rows, 1, vocab])
    const logits = { values, fetches }
    last = { rows, logits }
    return logits
  }
}

/** Embeddings of prompts, [inputs, longest, hidden]; zeros behind the shorter ones. */
function promptBatch(inputs: readonly PromptInput[], longest: number, embeddings: EmbeddingTable): Tensor {
  const { hidden } = embeddings
  const embeds = new Float32Array(inputs.length * longest * hidden)
  for (const [row, { prompt, features }] of inputs.entries())
    promptEmbeddings(prompt, features, embeddings, embeds.subarray(row * longest * hidden))
  return new Tensor('float32', embeds, [inputs.length, longest, hidden])
}

/** [rows, S, hidden] without the last position of all. */
function shorter(embeds: Tensor): Tensor {
  const [rows, length, hidden] = embeds.dims as [number, number, number]
  const all = floats(embeds)
  if (rows === 1)
    return new Tensor('float32', all.subarray(0, (length - 1) * hidden), [1, length - 1, hidden])
  const cut = new Float32Array(rows * (length - 1) * hidden)
  for (let row = 0; row < rows; row++) {
    const start = row * length * hidden
    cut.set(all.subarray(start, start + (length - 1) * hidden), row * (length - 1) * hidden)
  }
  return new Tensor('float32', cut, [rows, length - 1, hidden])
}

/** Each row's last valid position, [rows, 1, hidden]. */
function lastRows(embeds: Tensor, lengths: readonly number[]): Tensor {
  const [rows, longest, hidden] = embeds.dims as [number, number, number]
  const last = new Float32Array(rows * hidden)
  for (const [row, length] of lengths.entries()) {
    const start = (row * longest + length - 1) * hidden
    last.set(floats(embeds).subarray(start, start + hidden), row * hidden)
  }
  return new Tensor('float32', last, [rows, 1, hidden])
}

function newRows(
  embeds: Tensor,
  lengths: readonly number[],
  past: readonly number[],
): Record<string, Tensor> {
  return { input_embeds: embeds, input_lengths: integers(lengths), past_lengths: integers(past) }
}

function integers(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
}
