// SPDX-License-Identifier: Apache-2.0

import { execa } from 'execa'
import { refereePython } from './prepared.ts'

/** What a published Python package says; see referee.py. */
export async function askReferee<T>(ask: string, ...of: readonly unknown[]): Promise<T> {
  const { python, env } = await refereePython()
  const { stdout } = await execa(python, ['test/helpers/referee.py'], {
    input: JSON.stringify({ ask, of }),
    env: { ...env, PYTHONIOENCODING: 'utf-8' },
  })
  return JSON.parse(stdout)
}
