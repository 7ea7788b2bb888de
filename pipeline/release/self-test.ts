import { basename, join } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import type { SelfTest } from './manifest-schema.ts'

/** Ships with the project: three clear seconds, which a variant must hear alike on any machine. */
export const TEST_CLIP = join(BUNDLED_SPEECH, 'held-out-000.flac')

/**
 * Load each variant in a process's worker thread, and transcribe the clip that ships with the project.
 * @throws SpeechError when a variant cannot be loaded
 */
export async function selfTest(
  folder: string,
  variants: readonly string[],
  { threads, signal }: { readonly threads: number; readonly signal: AbortSignal },
): Promise<SelfTest[]> {
  const clipSha256 = await hashFile(TEST_CLIP, 'sha256')
  const tests: SelfTest[] = []
  for (const variant of variants) {
    await using asr = await Qwen3Asr.load(folder, { variant, threads, batch: 1 })
    const { text } = await asr.transcribe(TEST_CLIP, { signal })
    tests.push({ variant, clip: basename(TEST_CLIP), clipSha256, text })
  }
  return tests
}
