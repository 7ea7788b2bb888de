// SPDX-License-Identifier: Apache-2.0

import type { TrialRecord } from '../../pipeline/lab/trial-record.ts'
import type { Fidelity } from '../../pipeline/release/fidelity-schema.ts'

/** What was found of a variant, with a divergence of `mean`. */
export function fidelityOf(
  variant: string,
  bytes: number,
  mean: number,
  more: Partial<Fidelity> = {},
): Fidelity {
  return {
    ...{ variant, provider: 'cpu', layout: 'fused', prefill: 'same', clips: 3, positions: 30, bytes },
    kld: { mean, low: mean / 2, high: mean * 2, median: mean, p99: mean, max: mean },
    ...{ top1: 0.999, cosine: 1, changed: 1, cut: 0 },
    ...more,
  }
}

/** A line of trials.jsonl. */
export function trialRecord(name: string, more: Partial<TrialRecord> = {}): TrialRecord {
  const system = {
    cpu: 'c',
    cores: 2,
    features: [],
    memoryGiB: 1,
    platform: 'p',
    node: '20',
    onnxruntime: '1',
  }
  return {
    ...{ name, recipe: { decoder: [['*', 'q4b32']] }, clips: [] },
    fingerprints: { recipe: name, fp32: 'f', clips: 'c', code: 'd' },
    fidelity: fidelityOf(name, 4, 0.1),
    bytes: { decoder: 1, encoder: 1, embeddings: 1, total: 4 },
    speed: {
      ...{ stepMs: 2, promptMs: 20, encoderMs: 30, threads: 2 },
      machine: { ...system, executionProvider: 'cpu', threads: 2, workers: 1 },
    },
    ...more,
  }
}
