import { join } from 'node:path'
import type { ReleaseConfigFile } from '../../eval/config-schema.ts'
import { readJson } from '../../eval/release-config.ts'
import { makeTokenizer } from '../../eval/tokenizer.ts'
import { readCheckpoint } from '../../pipeline/checkpoint.ts'
import { releaseConfig } from '../../pipeline/release-config.ts'
import { TINY } from './checkpoint.ts'

/** config.json as the exporter writes it for the tiny checkpoint. */
export async function tinyConfig(): Promise<ReleaseConfigFile> {
  const tokenizer = makeTokenizer(
    await readJson(join(TINY, 'tokenizer.json')),
    await readJson(join(TINY, 'tokenizer_config.json')),
  )
  const checkpoint = await readCheckpoint(TINY)
  return releaseConfig(checkpoint, tokenizer, { encoder: 'float32' }, ['decoder_prefill.int4.json'])
}
