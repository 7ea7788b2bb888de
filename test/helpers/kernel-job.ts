// SPDX-License-Identifier: Apache-2.0

import { json } from 'node:stream/consumers'
import { execa } from 'execa'
import { maskedRuntime, type OlderKernels, runtimeEnvironment } from '../../scripts/masked-runtime.ts'
import { builtModule } from './commands.ts'

/* Kernels are chosen once in a process: what is to be seen with others runs in one of its own. */

/**
 * Run a module of test/helpers with older kernels, or those that this machine has.
 * @param job what the module reads by {@link jobOf}
 * @returns what it printed
 */
export async function onKernels<Result>(
  kernels: OlderKernels | 'native',
  module: string,
  job: object,
): Promise<Result> {
  const env = kernels === 'native' ? {} : runtimeEnvironment(await maskedRuntime(kernels))
  const { stdout } = await execa(process.execPath, [builtModule(`test/helpers/${module}`)], {
    ...{ env, input: JSON.stringify(job), stderr: 'inherit' },
  })
  return JSON.parse(stdout)
}

/** In the process that {@link onKernels} starts. */
export async function jobOf<Job>(): Promise<Job> {
  return (await json(process.stdin)) as Job
}
