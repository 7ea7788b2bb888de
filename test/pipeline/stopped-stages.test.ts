// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parsePipeline } from '../../pipeline/commands/pipeline-options.ts'
import { STAGE_NAMES } from '../../pipeline/shared/stage-names.ts'
import { runPipeline } from '../../pipeline/stages/run-pipeline.ts'
import { snapshot } from '../helpers/folder.ts'
import { copyTinyRelease, expectWhole } from '../helpers/tiny-release.ts'

// The stages before the first one are taken for current, whatever sources they were made with.
vi.mock('../../pipeline/stages/stamp.ts', async (original) => ({
  ...(await original<typeof import('../../pipeline/stages/stamp.ts')>()),
  isCurrent: async () => true,
}))

describe('the last complete release', () => {
  it.each(STAGE_NAMES.filter((name) => name !== 'publish'))(
    'stays whole when a run from %s on is stopped in its first stage',
    async (from) => {
      const model = await copyTinyRelease()
      const before = await snapshot(join(model, 'release'))
      const stop = new AbortController()
      const options = await parsePipeline([
        ...['--model', 'tiny', '--output', join(model, '..'), '--from', from, '--force', '--threads', '1'],
      ])
      if (!options) throw new Error('no options')
      const started: string[] = []
      const running = runPipeline(
        options,
        (event) => {
          if (event.event !== 'stage-start') return
          started.push(event.stage)
          setImmediate(() => stop.abort(new Error('stopped'))) // its results are deleted then
        },
        stop.signal,
      )
      await expect(running).rejects.toThrow()
      expect(started).toEqual([from])
      expect(await snapshot(join(model, 'release'))).toEqual(before)
      await expectWhole(join(model, 'release'))
      // and no run takes it for a current one
      await expect(stat(join(model, '.work', 'stamps', 'package.json'))).rejects.toThrow('ENOENT')
    },
  )
})
