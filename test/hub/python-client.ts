// SPDX-License-Identifier: Apache-2.0

import { execa } from 'execa'
import { temporaryFolder } from '../helpers/folder.ts'
import { stagePython } from '../helpers/prepared.ts'
import type { ModelHub } from './model-hub.ts'

/** What the official Python client answers, started anew with a cache of its own; see client.py. */
export async function askPython<T>(
  { url, token }: ModelHub,
  ask: string,
  args: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const { stdout } = await execa(await stagePython(), ['test/hub/client.py'], {
    input: JSON.stringify({ ask, arguments: args }),
    env: {
      ...{ HF_ENDPOINT: url, HF_TOKEN: token, HF_HOME: await temporaryFolder(), HF_HUB_DISABLE_XET: '1' },
      ...{
        HF_HUB_DISABLE_PROGRESS_BARS: '1',
        HF_HUB_DISABLE_TELEMETRY: '1',
        PYTHONIOENCODING: 'utf-8',
        ...env,
      },
    },
  })
  return JSON.parse(stdout)
}
