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
  { checkpointFile, model, python, maxNewTokens }: ReferenceOptions,
): Promise<void> {
  const list = []
  await mkdir(join(folder, 'samples'), { recursive: true })
  for (const { id, samples, steps } of clips) {
    const file = join(folder, 'samples', `${id}.f32`)
    await writeFile(file, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
    list.push({ id, file, steps })
  }
  const clipFile = join(folder, 'clips.json')
  await writeJson(clipFile, list)
  const args = {
    '--checkpoint': checkpointFile,
    '--processor': model,
    '--config': join(model, 'config.json'),
    '--clips': clipFile,
    '--out': folder,
    '--max-new-tokens': String(maxNewTokens),
  }
  await runPython('reference.py', Object.entries(args).flat(), python)
}
