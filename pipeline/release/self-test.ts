// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import { startAligner } from '../../eval/runtime/aligner-thread.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import type { SelfTest } from './manifest-schema.ts'

/* The test of a packaged release: each variant runs the bundled clip. */

/** Ships with the project: three clear seconds, which a variant must recognize alike on any machine. */
export const TEST_CLIP = join(BUNDLED_SPEECH, 'held-out-000.flac')
/** What is said in it, for aligners. */
const SAID = 'One seven zero two nine two.'

interface TestOptions {
  readonly family: Family
  /** what aligners are given; what is said in the clip by default */
  readonly text?: string
  readonly threads: number
  readonly signal: AbortSignal
}

/** What a variant makes of the clip. */
type Made = Pick<SelfTest, 'text' | 'words'>

/** How the variants of a kind of model show that they can be used. */
interface SelfTester {
  /** of a variant that passes: "int4 transcribes" */
  readonly verb: string
  make(folder: string, variant: string, options: TestOptions): Promise<Made>
  /** what was made, in a few words */
  described(made: Made): string
  /** whether it is what was made when the release was */
  isSame(made: Made, recorded: Made): boolean
}

/** How a release of each kind of model is tried on the bundled clip. */
export const SELF_TESTERS: Readonly<Record<Family, SelfTester>> = {
  asr: {
    verb: 'transcribes',
    async make(folder, variant, { threads, signal }) {
      await using asr = await Qwen3Asr.load(folder, { variant, threads, batch: 1 })
      const { text } = await asr.transcribe(TEST_CLIP, { signal })
      return { text }
    },
    described: ({ text }) => JSON.stringify(text),
    isSame: (made, recorded) => made.text === recorded.text,
  },
  aligner: {
    verb: 'aligns',
    async make(folder, variant, { text = SAID, threads, signal }) {
      signal.throwIfAborted()
      const aligner = await startAligner({ folder, variant, threads })
      try {
        const { words } = await aligner.align({ input: { path: TEST_CLIP }, text })
        return { text, words: [...words] }
      } finally {
        await aligner.release()
      }
    },
    described: ({ words = [] }) => words.map(({ text, start }) => `${text} ${start.toFixed(2)}`).join(', '),
    isSame: ({ words = [] }, { words: recorded = [] }) =>
      words.length === recorded.length && words.every((word, i) => isNear(word, recorded[i])),
  },
}

/** Seconds: one step of an aligner's grid, which roundings of another processor may tip, and a bit for decimals. */
const STEP = 0.081

function isNear(word: TimedWord, other: TimedWord | undefined): boolean {
  if (other === undefined) return false
  const isTime = (a: number, b: number) => Math.abs(a - b) <= STEP
  return word.text === other.text && isTime(word.start, other.start) && isTime(word.end, other.end)
}

/**
 * Load each variant in a worker thread, and give it the clip that ships with the project.
 * @throws SpeechError when a variant cannot be loaded
 */
export async function selfTests(
  folder: string,
  variants: readonly string[],
  options: TestOptions,
): Promise<SelfTest[]> {
  const clipSha256 = await hashFile(TEST_CLIP, 'sha256')
  const tests: SelfTest[] = []
  for (const variant of variants) {
    const made = await SELF_TESTERS[options.family].make(folder, variant, options)
    tests.push({ variant, clip: basename(TEST_CLIP), clipSha256, ...made })
  }
  return tests
}
