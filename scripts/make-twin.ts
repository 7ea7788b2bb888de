// SPDX-License-Identifier: Apache-2.0

import { type CommandLine, number, text } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { MODELS } from '../pipeline/models.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { requireWritable } from '../pipeline/shared/writable.ts'
import { FACTORS, makeTwin } from './outlier-twin.ts'
import { script } from './run-script.ts'

/*
 * The outlier twin of the bundled tiny checkpoint, to see what a recipe does to activations as large models have them:
 *   npm run make-twin -- --out /tmp/tiny-twin
 *   npm run pipeline -- --model /tmp/tiny-twin --variants fp32,int8
 */

const LINE: CommandLine = {
  command: 'npm run make-twin --',
  usage: '--out DIR [options]',
  about: 'Make the outlier twin of the tiny checkpoint: the same function, with a few large activations.',
  examples: [['--out /tmp/tiny-twin', 'then npm run pipeline -- --model /tmp/tiny-twin']],
}

const OPTIONS = {
  out: { ...text('where it goes'), demandOption: true },
  seed: { ...number('of the channels'), default: 1 },
} as const

const run = script(LINE, OPTIONS, async ({ out, seed }) => {
  await requireWritable(out, '--out', 'Name another folder with --out.')
  await makeTwin(MODELS.tiny.source.folder, out, seed)
  process.stdout.write(`${FACTORS.length} channels of every norm times ${FACTORS.join(', ')}: ${out}\n`)
  return EXIT.done
})

await asProcess(run, process.argv.slice(2))
