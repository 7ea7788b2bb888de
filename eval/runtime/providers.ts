import type { PrefillKind } from './graphs.ts'
import type { InferenceSession } from './onnxruntime.ts'
import { PROMPTS } from './platform/host.ts'
import { SpeechError } from './speech-error.ts'

/** An execution provider of onnxruntime-node, and what is different with it. */
export interface Provider {
  /** one line for lists */
  readonly about: string
  /** what sessions get besides threads and the graph: see InferenceSession.SessionOptions */
  readonly session: Omit<InferenceSession.SessionOptions, 'executionProviders' | 'intraOpNumThreads'>
  /** what runs prompts by default: the graph with 8-bit products where the variant has one, or that of the steps */
  readonly prompts: PrefillKind
  /** largest absolute difference from PyTorch that FP32 may have */
  readonly tolerance: { readonly features: number; readonly logits: number }
  /** what makes it available where it is missing */
  readonly hint: string
}

/**
 * How long a session's threads wait for the next operator or run before they sleep. Left alone they go on for tens of
 * milliseconds, and take a core from the session whose turn it is.
 */
const SPIN_MICROSECONDS = 1000

const CPU: Provider = {
  about: 'the processor',
  session: {
    graphOptimizationLevel: 'all',
    // memory planned for one length is of no use to the next, and is taken beside what there is
    enableMemPattern: false,
    extra: { session: { intra_op: { spin_duration_us: `${SPIN_MICROSECONDS}` } } },
  },
  prompts: PROMPTS,
  tolerance: { features: 1e-4, logits: 1e-3 },
  hint: 'It is part of onnxruntime-node everywhere.',
}

/** Devices compute in another order than the processor, and their own operators for 8-bit products are few. */
const DEVICE = { session: CPU.session, prompts: 'same', tolerance: { features: 1e-3, logits: 1e-2 } } as const

/** Every provider that this project knows how to use. Nobody has tried cuda, dml and coreml with it yet. */
export const PROVIDERS: Readonly<Record<string, Provider>> = {
  cpu: CPU,
  webgpu: {
    ...DEVICE,
    // which operators stay on the processor is a warning at every load, and the shapes always do
    session: { ...CPU.session, logSeverityLevel: 3 },
    about: 'WebGPU by Dawn: D3D12, Metal or Vulkan',
    hint: 'It is part of onnxruntime-node for Linux x64, macOS and Windows.',
  },
  cuda: {
    ...DEVICE,
    about: 'NVIDIA, Linux x64',
    hint: "Run onnxruntime-node's install script, which downloads it.",
  },
  dml: { ...DEVICE, about: 'DirectML, Windows', hint: 'It is part of onnxruntime-node for Windows.' },
  coreml: { ...DEVICE, about: 'Core ML, macOS', hint: 'It is part of onnxruntime-node for macOS.' },
}

/** Where nothing else is asked for. */
export const USUAL_PROVIDER = 'cpu'
export const PROVIDER_NAMES = Object.keys(PROVIDERS) as readonly string[]

/** @throws SpeechError naming those there are */
export function providerOf(name: string): Provider {
  const provider = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined
  if (provider) return provider
  throw new SpeechError(
    `There is no execution provider ${JSON.stringify(name)}.`,
    `This project knows ${PROVIDER_NAMES.join(', ')}.`,
  )
}
