import { Worker } from 'node:worker_threads'
import { PREFILL, prefillRecipe } from './graphs.ts'
import { emptyPast } from './kv-cache.ts'
import { Tensor } from './onnxruntime.ts'
import type { WidenedWeight } from './prefill-weights.ts'
import { openSession, type SessionOptions, type Source } from './session.ts'
import { SpeechError } from './speech-error.ts'

/** The fused layout's other graph for prompts: no logits, and products of int8 by uint8. */
export interface Prefill {
  /**
   * @param embeds [rows, length, hidden]
   * @returns keys and values [rows, kv_heads, length, head_dim], in the order of `outputs`
   */
  run(embeds: Tensor): Promise<Tensor[]>
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
 * @returns what opens the graph when they are there
 */
export function preparePrefill(
  source: Source,
): (shape: PrefillShape, options: SessionOptions) => Promise<Prefill> {
  const weights = widenInThread(source.release.folder, prefillRecipe(source.variant.name))
  weights.catch(() => undefined) // whoever opens the graph is told
  return async (shape, options) => openPrefill(source, await weights, shape, options)
}

async function openPrefill(
  source: Source,
  weights: readonly WidenedWeight[],
  { past, outputs, heads, headDim }: PrefillShape,
  options: SessionOptions,
): Promise<Prefill> {
  const session = await openSession(source, PREFILL, options)
  const fixed: Record<string, Tensor> = {}
  for (const { name, K, N, levels, columns } of weights) {
    fixed[`${name}.int8`] = new Tensor('int8', levels, [K, N])
    fixed[`${name}.scale`] = new Tensor('float32', columns, [N])
  }
  const pastNames = past.filter((name) => session.inputNames.includes(name))
  const known = new Set([...Object.keys(fixed), ...pastNames, 'input_embeds', 'past_lengths'])
  const unknown = session.inputNames.filter((name) => !known.has(name))
  if (unknown.length > 0) {
    await session.release()
    throw new SpeechError(
      `${PREFILL} wants the inputs ${unknown.slice(0, 3).join(', ')}, of which its recipe says nothing.`,
      'The files are of different releases.',
    )
  }
  return {
    async run(embeds) {
      const rows = embeds.dims[0] ?? 0
      const results = await session.run({
        ...fixed,
        ...emptyPast(pastNames, rows, { heads, headDim }),
        input_embeds: embeds,
        past_lengths: new Tensor('int64', new BigInt64Array(rows), [rows]),
      })
      return outputs.map((name) => results[name] as Tensor)
    },
    release: () => session.release(),
  }
}

function widenInThread(folder: string, recipe: string): Promise<readonly WidenedWeight[]> {
  const worker = new Worker(new URL('./worker-start.js', import.meta.url), {
    ...{ argv: ['./prefill-worker.ts'], workerData: { folder, recipe }, execArgv: [] },
  })
  return new Promise((resolve, reject) => {
    worker.on('message', ({ weights, message, hint }) => {
      if (weights) resolve(weights)
      else reject(new SpeechError(message, hint))
    })
    worker.on('error', reject)
    worker.on('exit', (code) =>
      reject(new Error(`The thread that makes prefill weights ended (code ${code}).`)),
    )
  })
}
