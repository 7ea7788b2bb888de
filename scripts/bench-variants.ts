// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { describeMachine } from '../eval/machine.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import { USUAL_PROVIDER } from '../eval/runtime/providers.ts'
import { openRelease, type Way } from '../eval/runtime/release.ts'
import { type CommandLine, number, SHARED, text } from '../pipeline/commands/arguments.ts'
import { variantFilesOf } from '../pipeline/evaluate/fingerprint.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { formatBytes } from '../pipeline/shared/output-files.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { decodeInNode, WHOLE_RESULT, type WholeResult } from './decode-process.ts'
import { median } from './median.ts'
import { script } from './run-script.ts'

/*
 * What each variant of a release costs, in one run:
 *   npm run bench -- variants --model-dir output/qwen3-asr-0.6b
 * Every figure is a median over rounds in which the variants alternate, each in a separate process, in its usual way.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- variants',
  usage: '[--model-dir DIR] [options]',
  about: "Measure time, memory and bytes of a release's variants.",
}

const OPTIONS = {
  'model-dir': {
    ...text('release directory at full size; weights may be random'),
    default: join(PROJECT, 'output', 'qwen3-asr-0.6b'),
    defaultDescription: 'output/qwen3-asr-0.6b',
  },
  variants: text('variants, separated by commas; all by default'),
  rounds: { ...number('of which the medians are'), default: 5 },
  threads: { ...SHARED.threads, default: 2 },
} as const

/** Mel frames and new tokens. */
const UTTERANCES = [
  { frames: 1100, newTokens: 30 },
  { frames: 3500, newTokens: 120 },
] as const

/** A variant in its usual way, with what was measured of it. */
interface Side {
  readonly name: string
  readonly way: Way
  readonly bytes: number
  readonly results: WholeResult[]
}

/** The benchmark `npm run bench -- variants`. */
export const run = script(LINE, OPTIONS, async ({ modelDir, variants, rounds, threads }) => {
  const sides = await sidesOf(modelDir, variants)
  for (let round = 0; round < rounds; round++)
    for (const { name, way, results } of sides)
      results.push(
        await decodeInNode(WHOLE_RESULT, {
          ...{ folder: modelDir, variant: name, threads, ...way },
          ...{ measure: 'utterances', utterances: [...UTTERANCES], batches: [], pasts: [], steps: 0 },
        }),
      )
  const columns = ['variant', 'files', 'load', 'resident', ...UTTERANCES.flatMap(columnsOf)]
  const { cpu, cores, features, node, onnxruntime } = describeMachine(threads)
  process.stdout.write(
    `${tableLines(columns, sides.map(rowOf)).join('\n')}\n\n` +
      `  ${basename(modelDir)}, ${threads} threads, medians of ${rounds} rounds in turns, a process each; load: both sessions and the table;\n` +
      `  resident: the most of a process; all: encoder, prompt and steps. ${cpu} (${features.join(', ')}), ${cores} cores, Node ${node}, onnxruntime ${onnxruntime}\n`,
  )
  return EXIT.done
})

async function sidesOf(folder: string, wanted?: string): Promise<Side[]> {
  const release = await openRelease(folder)
  const chosen = wanted === undefined ? release.variants : wanted.split(',').map(release.variant)
  return Promise.all(
    chosen.map(async ({ name, ways }) => {
      const [way] = ways(USUAL_PROVIDER) as [Way]
      return { name, way, bytes: (await variantFilesOf(folder, name)).bytes, results: [] }
    }),
  )
}

function columnsOf({ frames, newTokens }: (typeof UTTERANCES)[number]): string[] {
  return [`${frames / 100} s: encoder`, 'prompt', 'step', `all, ${newTokens} tokens`]
}

function rowOf({ name, bytes, results }: Side): string[] {
  const parts = UTTERANCES.flatMap(({ newTokens }, i) => {
    const of = (key: 'encoder' | 'prefill' | 'decode') =>
      median(results.map(({ utterances }) => utterances[i]?.[key]))
    const [encoder, prefill, decode] = [of('encoder'), of('prefill'), of('decode')]
    const all = encoder + prefill + decode
    return [ms(encoder), ms(prefill), ms(decode / newTokens), `${all.toFixed(2)} s`]
  })
  return [
    ...[name, formatBytes(bytes), `${median(results.map(({ load }) => load)).toFixed(1)} s`],
    formatBytes(median(results.map(({ peak }) => peak))),
    ...parts,
  ]
}

function ms(seconds: number): string {
  return `${(1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0)} ms`
}
