// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Halves } from '../../eval/runtime/halves.ts'
import { PROVIDERS } from '../../eval/runtime/providers.ts'
import { runProvider } from './provider-process.ts'
import type { StepProfile } from './step-profile.ts'
import { type SystemDevice, systemDevices } from './system-devices.ts'

/** What is sent to the child. */
export interface ProbeQuestion {
  readonly provider: string
  readonly folder: string
  /** whose step is looked at */
  readonly variants: readonly string[]
  readonly threads: number
  /** for profiles */
  readonly scratch: string
}

/** What the child finds, one after the other. */
export type ProbePart =
  | { readonly drivers: readonly string[] }
  | { readonly halves: Halves }
  | { readonly variant: string; readonly step: StepProfile }

/** What a provider is on this machine. */
export interface Probe {
  readonly provider: string
  /** it computes a sum */
  readonly isAvailable: boolean
  /** why it is not available, or what it could not do after that */
  readonly problem?: string
  /** what to install, where it is not available */
  readonly hint?: string
  /** graphics devices that the system names; onnxruntime does not say which it uses */
  readonly devices: readonly SystemDevice[]
  /** libraries of drivers that the provider loaded */
  readonly drivers: readonly string[]
  /** whether it computes in float16; undefined: not known */
  readonly halves?: Halves
  /** of each variant */
  readonly steps: Readonly<Record<string, StepProfile>>
  /** what the libraries said */
  readonly log: string
}

/** Seconds without a word: a large model takes long to load, and shaders to be made. */
export const SILENCE = 600

/**
 * Find out in a separate process what a provider is here: it may be missing, and it may end the process.
 * @throws the signal's reason when it is aborted
 */
export async function probeProvider(
  question: Omit<ProbeQuestion, 'scratch'>,
  signal: AbortSignal,
  silence = SILENCE,
): Promise<Probe> {
  const { provider } = question
  const scratch = await mkdtemp(join(tmpdir(), 'qwen3-asr-probe-'))
  try {
    const module = '../../pipeline/providers/probe-child.ts'
    const ended = await runProvider<ProbePart>(module, { ...question, scratch }, { silence, signal })
    const opened = ended.parts.find((part) => 'drivers' in part)
    const halves = ended.parts.find((part) => 'halves' in part)
    const { problem, log } = ended
    const hint = PROVIDERS[provider]?.hint
    return {
      ...{ provider, isAvailable: opened !== undefined, log, drivers: opened?.drivers ?? [] },
      devices: await systemDevices(provider),
      ...(problem !== undefined && { problem }),
      ...(opened === undefined && hint !== undefined && { hint }),
      ...(halves !== undefined && { halves: halves.halves }),
      steps: Object.fromEntries(
        ended.parts.flatMap((part) => ('step' in part ? [[part.variant, part.step]] : [])),
      ),
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
