// SPDX-License-Identifier: Apache-2.0

import type { PrefillKind } from './graphs.ts'
import type { InferenceSession } from './onnxruntime.ts'
import { CPU_PROMPTS } from './platform/host.ts'
import { SpeechError } from './speech-error.ts'

/** An execution provider of onnxruntime-node, and what is different with it. */
export interface Provider {
  /** one line for lists */
  readonly about: string
  /** what sessions get besides threads and the graph: see InferenceSession.SessionOptions */
  readonly session: Omit<InferenceSession.SessionOptions, 'executionProviders' | 'intraOpNumThreads'>
  /** what runs prompts by default: the graph with 8-bit products where the variant has one, or that of the steps */
  readonly prompts: PrefillKind
  /** where the fused layout keeps keys and values: the program's memory, or the device's. The runtime allows that for WebGPU */
  readonly kv: 'host' | 'device'
  /** options of the provider itself, which sessions name with it */
  readonly execution?: object
  /** whether its devices compute in float16, so that the variant fp16 is taken where none is asked for; `ask`: some of them */
  readonly halves: 'never' | 'ask' | 'always'
  /** releases are validated on it in the fused layout alone: `decoder_init` needs float16, which many devices lack */
  readonly isFusedOnly?: boolean
  readonly tolerance: ProviderTolerance
  /** whether this project has run it; what has not been tried is marked so wherever it is used */
  readonly isTried: boolean
  /** what makes it available where it is missing */
  readonly hint: string
}

/** How far a provider may be from PyTorch and from the processor. */
export interface ProviderTolerance {
  /** largest absolute differences from PyTorch that FP32 may have */
  readonly features: number
  readonly logits: number
  /** share of the bundled clips whose transcripts may differ from the processor's; none for the processor itself */
  readonly transcripts?: number
}

/**
 * How long a session's threads wait for the next operator or run before they sleep. Left alone they continue for tens of
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
  prompts: CPU_PROMPTS,
  kv: 'host',
  halves: 'never', // it computes such graphs in float32
  tolerance: { features: 1e-4, logits: 1e-3 },
  isTried: true,
  hint: 'It is part of onnxruntime-node everywhere.',
}

/** Devices compute in another order than the processor, and their own operators for 8-bit products are few. */
const DEVICE = {
  // which operators stay on the processor is a warning at every load, and the shapes always do
  session: { ...CPU.session, logSeverityLevel: 3 },
  prompts: 'same',
  kv: 'host',
  halves: 'always',
  tolerance: { features: 1e-3, logits: 1e-2, transcripts: 0.03 },
  isFusedOnly: true,
  isTried: false,
} as const

/** COREML_FLAG_CREATE_MLPROGRAM: the other format lacks most operators (coreml_provider_factory.h; needs macOS 12). */
const ML_PROGRAM = 0x010

/** Every provider that this project can use. */
export const PROVIDERS: Readonly<Record<string, Provider>> = {
  cpu: CPU,
  webgpu: {
    ...DEVICE,
    kv: 'device',
    halves: 'ask',
    about: 'WebGPU by Dawn: D3D12, Metal or Vulkan',
    isTried: true,
    hint: 'It is part of onnxruntime-node for Linux x64, macOS and Windows, and on Linux needs a driver for Vulkan and its loader (Debian: libvulkan1).',
  },
  cuda: {
    ...DEVICE,
    about: 'NVIDIA, Linux x64',
    hint: 'Its libraries (Microsoft.ML.OnnxRuntime.Gpu.Linux 1.30.0) come with: ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js. They need Linux x64, CUDA 12 and cuDNN 9.',
  },
  dml: {
    ...DEVICE,
    about: 'DirectML, Windows',
    // It takes neither memory patterns nor parallel execution (onnxruntime.ai, DirectML Execution Provider, configuration).
    session: { ...DEVICE.session, enableMemPattern: false, executionMode: 'sequential' },
    hint: 'It is part of onnxruntime-node for Windows, and needs a graphics card with DirectX 12.',
  },
  coreml: {
    ...DEVICE,
    about: 'Core ML, macOS',
    execution: { coreMlFlags: ML_PROGRAM },
    hint: 'It is part of onnxruntime-node for macOS on arm64.',
  },
}

/** Where nothing else is asked for. */
export const USUAL_PROVIDER = 'cpu'
/** Names of {@link PROVIDERS}, in the same order. */
export const PROVIDER_NAMES = Object.keys(PROVIDERS) as readonly string[]

/** A provider as people read it, with what they must know of it: `cuda (untested)`. */
export function providerLabel(name: string): string {
  return PROVIDERS[name]?.isTried === false ? `${name} (untested)` : name
}

/** The row of a provider. @throws SpeechError naming those there are */
export function providerOf(name = USUAL_PROVIDER): Provider {
  const provider = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined
  if (provider) return provider
  throw new SpeechError(
    `There is no execution provider ${JSON.stringify(name)}.`,
    `One of: ${PROVIDER_NAMES.join(', ')}.`,
  )
}
