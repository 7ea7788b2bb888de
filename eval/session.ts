import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession, listSupportedBackends, Tensor } from './onnxruntime.ts'
import { SpeechError } from './speech-error.ts'

export interface SessionOptions {
  /** '' for FP32, else the precision in the file names: 'int4' */
  readonly variant?: string
  readonly threads: number
  /** an execution provider that this build of onnxruntime-node has; cpu by default */
  readonly provider?: string
}

/**
 * How long a session's threads wait for the next operator or run before they sleep. Left alone they go on for tens of
 * milliseconds, and take a core from the session whose turn it is.
 */
const SPIN_MICROSECONDS = 1000

/** The graphs that make up each layout of the decoder. */
export const LAYOUTS = { fused: ['decoder'], split: ['decoder_init', 'decoder_step'] } as const
export type Layout = keyof typeof LAYOUTS

/**
 * Load one graph of a release directory.
 * @throws SpeechError when it is missing or the runtime refuses it
 */
export async function openSession(
  folder: string,
  name: string,
  { variant = '', threads, provider = 'cpu' }: SessionOptions,
): Promise<InferenceSession> {
  const path = await graphPath(folder, name, variant)
  if (path === undefined) {
    throw new SpeechError(
      `${folder} holds neither ${candidates(name, variant).join(' nor ')}.`,
      'Run the pipeline first, or name another folder.',
    )
  }
  try {
    return await InferenceSession.create(path, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      graphOptimizationLevel: 'all',
      // memory planned for one length is of no use to the next, and is taken beside what there is
      enableMemPattern: false,
      extra: { session: { intra_op: { spin_duration_us: `${SPIN_MICROSECONDS}` } } },
    })
  } catch (error) {
    throw new SpeechError(`onnxruntime cannot load ${path}: ${(error as Error).message}`)
  }
}

/**
 * The layout to decode with: fused where the folder has it in the wanted precision, or has nothing of that precision
 * in the other layout either.
 */
export async function layoutOf(folder: string, variant = ''): Promise<Layout> {
  const ofVariant = await firstLayout(folder, (name) => `${name}${variant && `.${variant}`}.onnx`)
  return ofVariant ?? (await firstLayout(folder, (name) => `${name}.onnx`)) ?? 'split'
}

/**
 * The variants of a release directory: '' (FP32) first, then every precision that a decoder graph has.
 * @throws SpeechError when there is none
 */
export async function variantsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const found = new Set<string>()
  for (const name of names) {
    const graph = /^decoder(?:_init)?(?:\.([\w-]+))?\.onnx$/.exec(name)
    if (graph) found.add(graph[1] ?? '')
  }
  if (found.size > 0) return [...found].sort()
  throw new SpeechError(
    `${folder} holds no decoder graph.`,
    'Give a release directory: one that holds encoder.onnx and decoder.onnx. The pipeline makes one.',
  )
}

/** @throws SpeechError naming what there is */
export function checkProvider(provider: string): void {
  const names = listSupportedBackends().map(({ name }) => name)
  if (names.includes(provider)) return
  throw new SpeechError(
    `This onnxruntime-node has no execution provider "${provider}".`,
    `It has ${names.join(', ')}.`,
  )
}

/** @throws SpeechError when the graph does not have this output */
export function output(results: InferenceSession.OnnxValueMapType, name: string): Tensor {
  const value = results[name]
  if (value instanceof Tensor) return value
  throw new SpeechError(`The graph has no output ${name}; it has ${Object.keys(results).join(', ')}.`)
}

/** The values of a float32 tensor on the CPU. @throws SpeechError when they are of another type */
export function floats(tensor: Tensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data
  throw new SpeechError(`The graph's output is ${tensor.type}, wanted float32.`)
}

async function firstLayout(folder: string, file: (graph: string) => string): Promise<Layout | undefined> {
  for (const layout of ['fused', 'split'] as const) {
    const there = await Promise.all(LAYOUTS[layout].map((name) => exists(join(folder, file(name)))))
    if (there.every(Boolean)) return layout
  }
  return undefined
}

function candidates(name: string, variant: string): string[] {
  return [...(variant === '' ? [] : [`${name}.${variant}.onnx`]), `${name}.onnx`]
}

async function graphPath(folder: string, name: string, variant: string): Promise<string | undefined> {
  for (const candidate of candidates(name, variant)) {
    const path = join(folder, candidate)
    if (await exists(path)) return path
  }
  return undefined
}

/** Whether there is something at a path. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
