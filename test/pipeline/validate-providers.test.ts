// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { compareDevices } from '../../pipeline/stages/compare-devices.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

async function compared(providers: readonly string[]) {
  const model = join(await sharedReleases(), TINY_NAME)
  return compareDevices(
    {
      ...{ paths: { model }, signal: new AbortController().signal, emit: () => undefined },
      options: { variants: ['fp32', 'int4'], threads: 1, providers, prefillInt8: true },
    },
    {},
    { pass: (_, make) => make() },
  )
}

it('a release is not validated for a provider that is not there', async () => {
  await expect(compared(['cpu', process.platform === 'win32' ? 'coreml' : 'dml'])).rejects.toMatchObject({
    message: expect.stringMatching(
      /^\w+ \(untested\) is not available, and the release cannot be validated for it: /,
    ),
    hint: expect.stringContaining('It is part of onnxruntime-node for '),
  })
})

it('nothing is compared for the processor alone', async () => {
  expect((await compared(['cpu'])).gates).toEqual([])
})
