// SPDX-License-Identifier: Apache-2.0

import { between, type CommandLine, flag, number, oneOf, text } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { MODELS, type ModelShape, TINY_SHAPE } from '../pipeline/models.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { formatBytes } from '../pipeline/shared/output-files.ts'
import { requireWritable } from '../pipeline/shared/writable.ts'
import { TINY_CLASSES, writeRandomCheckpoint } from './random-checkpoint.ts'
import { script } from './run-script.ts'

/*
 * A checkpoint of full size with random weights, for measuring size, memory and speed without the real ones:
 *   npm run make-checkpoint -- --model 0.6b --format original --out /tmp/random-0.6b
 * --layers makes a shallow one of full width, for fast trials; --tiny one as small as the tiny model.
 */

const LINE: CommandLine = {
  command: 'npm run make-checkpoint --',
  usage: '--model MODEL --out DIR [options]',
  about: 'Make a checkpoint of full size with random weights, to measure size, memory and speed.',
}

const OPTIONS = {
  model: { ...oneOf(['0.6b', '1.7b', 'aligner'], 'whose shapes'), demandOption: true },
  format: {
    ...oneOf(['native', 'original'], 'of transformers, or of the published files'),
    default: 'native',
    was: 'layout',
  },
  out: { ...text('where it goes'), demandOption: true },
  seed: { ...number('of the weights', between(0, 2 ** 32 - 1)), default: 1 },
  layers: number('of the encoder and the decoder each (default: as published)'),
  tiny: flag('as small as the tiny model, with its tokenizer'),
} as const

const run = script(LINE, OPTIONS, async ({ model, format, out, seed, layers, tiny }) => {
  await requireWritable(out, '--out', 'Name another folder with --out.')
  const own: ModelShape = MODELS[model].shape
  const sized = tiny ? { ...TINY_SHAPE, ...(own.classes && { classes: TINY_CLASSES }) } : own
  const shape = layers === undefined ? sized : { ...sized, encoderLayers: layers, decoderLayers: layers }
  const bytes = await writeRandomCheckpoint(out, { shape, format, seed, isTiny: tiny })
  process.stdout.write(
    `${model} with random weights, ${format} format, ${formatBytes(bytes)}, seed ${seed}: ${out}\n`,
  )
  return EXIT.done
})

await asProcess(run, process.argv.slice(2))
