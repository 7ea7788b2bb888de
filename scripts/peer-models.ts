// SPDX-License-Identifier: Apache-2.0

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { identifySources } from '../eval/sources.ts'
import { readCheckpoint } from '../pipeline/checkpoint/checkpoint.ts'
import { requireSpace } from '../pipeline/shared/disk-space.ts'
import type { Engine } from './peer-engines.ts'
import { PROJECT_PYTHON } from './peer-environment.ts'

/* The other engines' model files, made of a checkpoint; kept while neither it nor what writes them changes. */

/** Where a checkpoint's description is, as python/checkpoint.py reads it. */
export interface Described {
  readonly path: string
  readonly text: string
}

/**
 * The description of a checkpoint that Python scripts read, as a file and as text.
 * @param checkpoint a folder; without it, what the pipeline left beside the release
 * @throws Failure when the folder is not a checkpoint, Error when there is neither
 */
export async function describeCheckpoint(
  work: string,
  modelDir: string,
  checkpoint?: string,
): Promise<Described> {
  if (checkpoint === undefined) {
    const path = join(modelDir, '.work', 'checkpoint.json')
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) throw new Error('needs --checkpoint DIR: no .work/checkpoint.json in --model-dir')
    return { path, text }
  }
  const path = join(work, 'checkpoint.json')
  const text = JSON.stringify(await readCheckpoint(checkpoint))
  await mkdir(work, { recursive: true })
  await writeFile(path, text)
  return { path, text }
}

/**
 * Make an engine's model from a checkpoint; one that was made from the same is kept.
 * @param python of the engine's environment
 * @returns the model's path
 */
export async function modelFor(
  engine: Engine,
  { path, text }: Described,
  folder: string,
  python: string,
): Promise<string> {
  const { script, args, interpreter, bytes } = writerOf(engine, python)
  const out = join(folder, engine.model)
  const stamp = `${out}.made-of.json`
  const made = JSON.stringify({ checkpoint: text, sources: await identifySources([script]) })
  if ((await readFile(stamp, 'utf8').catch(() => '')) === made) return out
  await rm(stamp, { force: true })
  await rm(out, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await requireSpace(folder, bytes, `Writing the model of ${engine.name}`, 'Free space there.')
  await execa(interpreter, [join(PROJECT, script), '--checkpoint', path, '--out', out, ...args])
  await writeFile(stamp, made)
  return out
}

interface Writer {
  readonly script: string
  readonly args: readonly string[]
  readonly interpreter: string
  /** of disk that it needs */
  readonly bytes: number
}

/** Graphs are exported by what exports a release's. */
function writerOf({ name }: Engine, python: string): Writer {
  return name === 'sherpa-onnx'
    ? { script: 'python/bench/write_sherpa.py', args: [], interpreter: PROJECT_PYTHON, bytes: 5e9 }
    : { script: 'python/bench/write_gguf.py', args: ['--engine', name], interpreter: python, bytes: 1e9 }
}
