// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import type { MachineRecord } from './record.ts'
import { USUAL_PROVIDER } from './runtime/providers.ts'

/** Where a figure was measured; described where it is read. */
export type Machine = MachineRecord['machine']

const INTERESTING = ['avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'amx_int8', 'asimddp', 'i8mm']

/**
 * This machine with the versions of what computes, for figures of speed.
 * @param provider what computes; a run with several describes the machine once for each
 */
export function describeMachine(threads: number, workers = 1, provider: string = USUAL_PROVIDER): Machine {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    features: cpuFeatures(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    onnxruntime: onnxruntimeVersion(),
    executionProvider: provider,
    threads,
    workers,
  }
}

/** The version of the installed onnxruntime-node. */
export function onnxruntimeVersion(): string {
  const require = createRequire(import.meta.url)
  return (require('onnxruntime-node/package.json') as { version: string }).version
}

/** Instruction sets that decide how fast the runtime is; empty where /proc/cpuinfo does not exist. */
function cpuFeatures(): string[] {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? ''
    const flags = new Set(line.trim().split(/\s+/))
    return INTERESTING.filter((flag) => flags.has(flag))
  } catch {
    return []
  }
}
