import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { DECODERS, graphFile } from '../../eval/graphs.ts'
import { PROJECT } from '../../pipeline/models.ts'
import { editedCommands } from '../helpers/commands.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

it('a variant without gates is not packaged, however it came into the folder', async () => {
  const row = "bare: { about: 'proved by nothing', gates: {} },"
  const module = await editedCommands('without-gates', 'pipeline/variants.ts', (code) => {
    expect(code).toContain('const VARIANTS = {')
    return code.replace('const VARIANTS = {', `const VARIANTS = { ${row}`)
  })
  const model = await copyTinyRelease()
  for (const graph of DECODERS)
    await link(join(model, graphFile(graph, 'int4')), join(model, graphFile(graph, 'bare')))
  const run = (...args: string[]) =>
    execa(process.execPath, [module('pipeline/commands/package-command.ts'), model, ...args], {
      ...{ cwd: PROJECT, reject: false },
      env: { CI: 'true' },
    })
  const ended = await run('--variants', 'fp32,int4,bare')
  expect(ended.stdout).toContain('is not packaged: bare has no gates: nothing proves it.')
  expect(ended.exitCode).toBe(3)
  // the same commands take what is proved
  await rm(join(model, 'release'), { recursive: true })
  expect((await run('--variants', 'fp32,int4')).exitCode).toBe(0)
})
