// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { type CommandLine, usage } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import type { Output } from '../pipeline/commands/run-command.ts'
import { endOf, startCommand, wrapping } from './child-command.ts'
import { maskedRuntime, OLDER_KERNELS, runtimeEnvironment } from './masked-runtime.ts'

/*
 * Run a command with the kernels that onnxruntime-node has for an older processor (Linux x64):
 *   npm run kernels -- avx2 npm run evaluate -- --models fp32:output/qwen3-asr-tiny --datasets test/fixtures/speech
 * A probe says first how 8-bit products are added: exactly, or so that they end at 16 bits.
 */

const NATIVE = 'native'
const CHOICES: readonly string[] = [NATIVE, ...OLDER_KERNELS]

const LINE: CommandLine = {
  command: 'npm run kernels --',
  usage: 'KERNELS COMMAND [ARG ...]',
  about: `Run a command with the kernels of onnxruntime-node for an older processor (Linux x64). KERNELS: ${CHOICES.join(', ')}; avx512 is without VNNI.`,
  examples: [
    [
      'avx2 npm run evaluate -- --models fp32:DIR --datasets ./clips',
      'WER as on a processor without AVX-512',
    ],
  ],
  remark: 'It ends with the exit code of the command.',
}

const USAGE = `Usage: ${LINE.command} ${LINE.usage}`

await asProcess(wrapping(LINE, requireWords, runWith), process.argv.slice(2))

function requireWords([kernels, command]: readonly string[]): void {
  if (kernels === undefined) throw usage('Found no kernels and no command.', USAGE)
  if (!CHOICES.includes(kernels))
    throw usage(`There are no kernels ${JSON.stringify(kernels)}.`, `One of: ${CHOICES.join(', ')}.`)
  if (command === undefined) throw usage('Found no command to run.', USAGE)
}

async function runWith(
  [kernels = '', command = '', ...args]: readonly string[],
  output: Output,
): Promise<number> {
  const older = OLDER_KERNELS.find((name) => name === kernels)
  const env = older === undefined ? {} : runtimeEnvironment(await maskedRuntime(older))
  const probe = join(PROJECT, 'scripts', 'kernel-probe.ts')
  const { stdout } = await execa(process.execPath, ['--import', import.meta.resolve('tsx'), probe], { env })
  output.report({ kernels, products: stdout }, () => [
    `kernels: ${kernels}; 8-bit products are ${stdout}`,
    '',
  ])
  const child = startCommand([command, ...args], { ...process.env, ...env })
  return endOf(child, command, USAGE)
}
