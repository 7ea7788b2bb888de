import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { identifySources } from '../eval/sources.ts'
import { readCheckpoint } from '../pipeline/checkpoint/checkpoint.ts'
import { PROJECT } from '../pipeline/models.ts'
import type { Engine } from './peer-engines.ts'
import type { Program } from './peer-process.ts'

/* The other engines' model files, made of a checkpoint; kept while neither it nor what writes them changes. */

/** Where a checkpoint's description is, as python/checkpoint.py reads it. */
export interface Described {
  readonly path: string
  readonly text: string
}

/**
 * @param checkpoint a folder; without it, what the pipeline left beside the release
 * @throws Failure when the folder is no checkpoint, Error when there is neither
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

/** @param python of the engine's environment @returns the model's path */
export async function modelFor(
  engine: Engine,
  { path, text }: Described,
  folder: string,
  python: string,
): Promise<string> {
  const script = writerOf(engine)
  const out = join(folder, engine.model)
  const stamp = `${out}.made-of.json`
  const made = JSON.stringify({ checkpoint: text, sources: await identifySources([script]) })
  if ((await readFile(stamp, 'utf8').catch(() => '')) === made) return out
  await rm(stamp, { force: true })
  await rm(out, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const [program, args] = writing(engine, path, out, python)
  await execa(program, args)
  await writeFile(stamp, made)
  return out
}

function writerOf({ name }: Engine): string {
  if (name === 'sherpa-onnx') throw new Error('its graphs are not made here: give --peer sherpa-onnx:FOLDER')
  return join('python', 'bench', 'write_gguf.py')
}

function writing(engine: Engine, checkpoint: string, out: string, python: string): Program {
  const script = join(PROJECT, writerOf(engine))
  return [python, [script, '--checkpoint', checkpoint, '--engine', engine.name, '--out', out]]
}
