// SPDX-License-Identifier: Apache-2.0

import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import '../eval/runtime/no-telemetry.ts' // inherited by the sides
import { csvText } from '../eval/csv.ts'
import { describeMachine } from '../eval/machine.ts'
import { plural } from '../eval/plural.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import { openRelease } from '../eval/runtime/release.ts'
import {
  type CommandLine,
  number,
  type OptionsOf,
  SHARED,
  text,
  texts,
} from '../pipeline/commands/arguments.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeText } from '../pipeline/shared/output-files.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { peersChart } from './peer-chart.ts'
import { handedIn } from './peer-engines.ts'
import { type Figures, figuresOf } from './peer-figures.ts'
import { measureSides } from './peer-measure.ts'
import { type Described, describeCheckpoint } from './peer-models.ts'
import { RATIO_COLUMNS, ratioRows } from './peer-ratios.ts'
import { type Missing, makeSides } from './peer-sides.ts'
import { COLUMNS, csvRowsOf, markdownOf, remarksOf, rowsOf } from './peer-table.ts'
import { script } from './run-script.ts'

/*
 * This project's variants against other engines, in one run:
 *   npm run bench -- peers --model-dir output/qwen3-asr-0.6b --checkpoint /tmp/random-0.6b
 * Every figure is a median over rounds in which the sides alternate: a process with the model loaded, and fresh processes.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- peers',
  usage: '[--model-dir DIR] [options]',
  about: 'Measure variants against other engines, whose wheels are installed for it.',
}

const OPTIONS = {
  'model-dir': {
    ...text('release directory at full size; weights may be random'),
    default: join(PROJECT, 'output', 'qwen3-asr-0.6b'),
    defaultDescription: 'output/qwen3-asr-0.6b',
  },
  checkpoint: text("of which the release was made, for the engines' models; that of the pipeline's run"),
  variants: { ...text('variants, separated by commas'), default: 'int4' },
  rounds: { ...number('of which the medians are'), default: 5 },
  threads: { ...SHARED.threads, default: 2 },
  peer: texts('NAME:FILE, a model of another engine, instead of one made of the checkpoint'),
  work: text('for environment, models and clips; output/.bench-peers'),
  csv: text('write the figures there'),
  markdown: text('write the table there'),
  chart: text('write an SVG there'),
} as const
type Options = OptionsOf<typeof OPTIONS>

/** The benchmark `npm run bench -- peers`: fails when a variant of this project could not be measured. */
export const run = script(LINE, OPTIONS, async (options, output) => {
  const { modelDir, rounds, threads, work = join(PROJECT, 'output', '.bench-peers') } = options
  const release = await openRelease(modelDir)
  const peers = await handedIn(options.peer ?? [])
  await mkdir(work, { recursive: true })
  const variants = options.variants.split(',').map((name) => release.variant(name).name)
  let described: Promise<Described> | undefined
  const describe = () => (described ??= describeCheckpoint(work, modelDir, options.checkpoint))
  const { note } = output
  const { sides, missing } = await makeSides({ modelDir, variants, threads, peers, work, describe, note })
  const measured = await measureSides(sides, rounds, join(work, 'clips'), note)
  const found = { figures: measured.rounds.map(figuresOf), missing: [...missing, ...measured.missing] }
  await writeAll(found, options)
  output.report({ ...found, machine: describeMachine(threads), rounds }, () => [
    ...tableLines(COLUMNS, rowsOf(found.figures, found.missing)),
    '',
    ...ratioLines(found.figures),
    ...[...remarksOf(found.figures, found.missing), machineOf(options)].map((line) => `  ${line}`),
  ])
  return found.missing.some(({ name }) => variants.includes(name)) ? EXIT.failed : EXIT.done
})

function ratioLines(figures: readonly Figures[]): string[] {
  const rows = ratioRows(figures)
  return rows.length === 0 ? [] : [...tableLines(RATIO_COLUMNS, rows), '']
}

async function writeAll(
  { figures, missing }: { figures: readonly Figures[]; missing: readonly Missing[] },
  { csv, markdown, chart }: Options,
): Promise<void> {
  if (csv !== undefined) await writeText(csv, csvText(csvRowsOf(figures, missing)))
  if (markdown !== undefined) await writeText(markdown, markdownOf(figures, missing))
  if (chart !== undefined) await writeText(chart, peersChart(figures))
}

function machineOf({ modelDir, threads, rounds }: Options): string {
  const { cpu, cores, features, node, onnxruntime } = describeMachine(threads)
  return (
    `${basename(modelDir)}, ${threads} threads, medians of ${plural(rounds, 'round')} in turns. ` +
    `${cpu} (${features.join(', ')}), ${cores} cores, Node ${node}, onnxruntime ${onnxruntime}`
  )
}
