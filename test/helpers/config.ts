import type { ReleaseConfigFile } from '../../eval/config-schema.ts'
import { readTokenizer } from '../../eval/tokenizer.ts'
import { readCheckpoint } from '../../pipeline/checkpoint.ts'
import { releaseConfig } from '../../pipeline/release-config.ts'
import { TINY } from './checkpoint.ts'

/** config.json as the exporter writes it for the tiny checkpoint. */
export async function tinyConfig(): Promise<ReleaseConfigFile> {
  const tokenizer = await readTokenizer(TINY)
  const checkpoint = await readCheckpoint(TINY)
  return releaseConfig(checkpoint, tokenizer, { encoder: 'float32' }, ['decoder_prefill.int4.json'])
}
