// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'

/** Where one run keeps its files. */
export interface Paths {
  /** the model directory: the contract's files, report.json, results.csv */
  readonly model: string
  /** intermediate results and stamps */
  readonly work: string
  /** archives, checksums, model card */
  readonly release: string
  stamp(stage: string): string
  log(stage: string): string
}

/** The paths of a run. @param output folder of all model directories @param name of the model directory */
export function pathsOf(output: string, name: string): Paths {
  const model = join(output, name)
  const work = join(model, '.work')
  return {
    model,
    work,
    release: join(model, 'release'),
    stamp: (stage) => join(work, 'stamps', `${stage}.json`),
    log: (stage) => join(work, 'logs', `${stage}.log`),
  }
}

/** The tensors of a checkpoint that an adapter changes, while they are needed. */
export function mergedFile(work: string): string {
  return join(work, 'adapter', 'merged.safetensors')
}

/** The checkpoint's description that the Python scripts read. */
export function checkpointFile(work: string): string {
  return join(work, 'checkpoint.json')
}
