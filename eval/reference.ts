import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson } from './release-config.ts'
import { SpeechError } from './speech-error.ts'

/** A float32 array that python/reference.py dumped. */
export interface ReferenceArray {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** What PyTorch computed for one clip. */
export interface Reference {
  readonly id: string
  readonly promptIds: readonly number[]
  /** greedy tokens of model.generate, end token included */
  readonly tokens: readonly number[]
  /** [128, T] */
  readonly mel: ReferenceArray
  /** [N, H] */
  readonly features: ReferenceArray
  /** [steps, V]: row k predicts token k; undefined for clips that only compare tokens */
  readonly logits: ReferenceArray | undefined
}

interface IndexedArray {
  readonly file: string
  readonly shape: readonly number[]
}

export interface ReferenceIndex {
  readonly clips: readonly {
    readonly id: string
    readonly prompt_ids: readonly number[]
    readonly tokens: readonly number[]
    readonly mel: IndexedArray
    readonly features: IndexedArray
    readonly logits?: IndexedArray
  }[]
  readonly versions: Readonly<Record<string, string>>
}

export async function readReferenceIndex(folder: string): Promise<ReferenceIndex> {
  return readJson(join(folder, 'index.json'))
}

/** Load one clip's arrays. */
export async function readReference(
  folder: string,
  entry: ReferenceIndex['clips'][number],
): Promise<Reference> {
  return {
    id: entry.id,
    promptIds: entry.prompt_ids,
    tokens: entry.tokens,
    mel: await readArray(folder, entry.mel),
    features: await readArray(folder, entry.features),
    logits: entry.logits && (await readArray(folder, entry.logits)),
  }
}

async function readArray(folder: string, { file, shape }: IndexedArray): Promise<ReferenceArray> {
  const bytes = await readFile(join(folder, file))
  const count = shape.reduce((product, size) => product * size, 1)
  if (bytes.length !== count * 4) {
    throw new SpeechError(`${file} has ${bytes.length} bytes, wanted ${count * 4} for [${shape.join(', ')}].`)
  }
  return { data: new Float32Array(bytes.buffer, bytes.byteOffset, count), shape }
}
