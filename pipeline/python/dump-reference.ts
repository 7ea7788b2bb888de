// SPDX-License-Identifier: Apache-2.0

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from '../shared/output-files.ts'
import { runPython } from './run-python.ts'

/** A clip that PyTorch shall transcribe. */
export interface ReferenceClip {
  readonly id: string
  /** 16 kHz mono */
  readonly samples: Float32Array
  /** rows of logits to keep, 0 for none */
  readonly steps: number
}

/** Where PyTorch finds the checkpoint, and how many tokens it may make. */
export interface ReferenceOptions {
  /** what the pipeline found out about the checkpoint, for python/checkpoint.py */
  readonly checkpointFile: string
  /** the release directory, for tokenizer.json and config.json */
  readonly model: string
  readonly python: Parameters<typeof runPython>[2]
  readonly maxNewTokens: number
}

/** Let PyTorch transcribe clips and dump what it computes into `folder`; eval/reference.ts reads it. */
export async function dumpReference(
  clips: readonly ReferenceClip[],
  folder: string,
  { maxNewTokens, ...options }: ReferenceOptions,
): Promise<void> {
  const more = ['--max-new-tokens', String(maxNewTokens)]
  await runReference('reference.py', clips, folder, options, more)
}

/** A text that PyTorch shall align. */
export interface SlotReferenceClip {
  readonly id: string
  /** 16 kHz mono */
  readonly samples: Float32Array
  readonly text: string
  /** English name */
  readonly language?: string
}

/** The same of a forced aligner; eval/slot-reference.ts reads it. */
export async function dumpSlotReference(
  clips: readonly SlotReferenceClip[],
  folder: string,
  options: Omit<ReferenceOptions, 'maxNewTokens'>,
): Promise<void> {
  await runReference('aligner_reference.py', clips, folder, options)
}

async function runReference(
  script: string,
  clips: readonly { readonly id: string; readonly samples: Float32Array }[],
  folder: string,
  { checkpointFile, model, python }: Omit<ReferenceOptions, 'maxNewTokens'>,
  more: readonly string[] = [],
): Promise<void> {
  const list = []
  await mkdir(join(folder, 'samples'), { recursive: true })
  for (const { samples, ...clip } of clips) {
    const file = join(folder, 'samples', `${clip.id}.f32`)
    await writeFile(file, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
    list.push({ ...clip, file })
  }
  const clipFile = join(folder, 'clips.json')
  await writeJson(clipFile, list)
  const args = {
    '--checkpoint': checkpointFile,
    '--processor': model,
    '--config': join(model, 'config.json'),
    '--clips': clipFile,
    '--out': folder,
  }
  await runPython(script, [...Object.entries(args).flat(), ...more], python)
}
