import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileChange } from '../../graph-tools/commit.ts'
import { Failure } from '../failure.ts'

/**
 * The folder's config.json with the embedding table's new type, all other keys as they were.
 * @returns nothing to change when there is no config.json
 */
export async function embeddingConfig(folder: string, shape: readonly number[]): Promise<FileChange[]> {
  const path = join(folder, 'config.json')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return []
  const config = parse(text, path)
  const changed = { ...config, embed_tokens_dtype: 'float16', embed_tokens_shape: shape }
  return [{ path, content: [Buffer.from(`${JSON.stringify(changed, undefined, 2)}\n`)] }]
}

function parse(text: string, path: string): object {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Failure(`${path} is no JSON: ${(error as Error).message}.`, 'Mend or delete it.')
  }
}
