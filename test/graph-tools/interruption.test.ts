// SPDX-License-Identifier: Apache-2.0

import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { recover } from '../../graph-tools/commit.ts'
import { JOURNAL } from '../../graph-tools/journal.ts'
import { builtModule } from '../helpers/commands.ts'
import { injectFault } from '../helpers/faults.ts'
import { quickParent, temporaryFolder } from '../helpers/folder.ts'
import { graphCommand } from '../helpers/graph-command.ts'
import { contentsOf, filesOf, writeDecoders, writeLarge } from '../helpers/graph-folders.ts'

/** Processes that are killed at a time. */
const AT_ONCE = 3

interface Case {
  readonly name: string
  readonly args: readonly string[]
  readonly graphs: readonly string[]
  readonly start: 'inside' | 'outside' | 'large'
  /** one graph after the other, each with its data files */
  readonly isAlone?: boolean
}

const BOTH = ['a.onnx', 'b.onnx']
const CASES: readonly Case[] = [
  { name: 'share', args: ['share', '--data', 'w.data'], graphs: BOTH, start: 'outside' },
  { name: 'share elsewhere', args: ['share', '--data', 'other.data'], graphs: BOTH, start: 'outside' },
  {
    name: 'rename-data',
    args: ['rename-data', '--to', 'renamed.data'],
    graphs: ['a.onnx'],
    start: 'outside',
  },
  { name: 'inline', args: ['inline'], graphs: BOTH, start: 'outside', isAlone: true },
  { name: 'externalize', args: ['externalize', '--data', 'w.data'], graphs: BOTH, start: 'inside' },
  { name: 'externalize each', args: ['externalize'], graphs: BOTH, start: 'inside', isAlone: true },
  { name: 'tie', args: ['tie'], graphs: BOTH, start: 'outside' },
  { name: 'embed-fp16', args: ['embed-fp16'], graphs: BOTH, start: 'outside' },
  { name: 'strip-traces', args: ['strip-traces'], graphs: BOTH, start: 'inside', isAlone: true },
  { name: 'strip-allowzero', args: ['strip-allowzero'], graphs: ['large.onnx'], start: 'large' },
]

const made = new Map<Case['start'], string>()

beforeAll(async () => {
  for (const start of ['inside', 'outside', 'large'] as const) {
    const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-made-'))
    made.set(start, folder)
    if (start === 'large') await writeLarge(folder)
    else await writeDecoders(folder, start)
  }
  return async () => {
    for (const folder of made.values()) await rm(folder, { recursive: true })
  }
})

async function freshCopy({ start }: Case): Promise<string> {
  const folder = await temporaryFolder(await quickParent())
  await cp(made.get(start) ?? '', folder, { recursive: true })
  return folder
}

function commandIn(folder: string, { args, graphs }: Case): string[] {
  const [command = '', ...options] = args
  return [command, ...graphs.map((name) => join(folder, name)), ...options]
}

/** Files and tensors before and after a command that nothing stops. */
async function endsOf(the: Case) {
  const folder = await freshCopy(the)
  const before = { files: await filesOf(folder), contents: await contentsOf(folder) }
  await graphCommand(commandIn(folder, the))
  const after = { files: await filesOf(folder), contents: await contentsOf(folder) }
  expect(after.files).not.toEqual(before.files)
  return { before, after }
}

type Ends = Awaited<ReturnType<typeof endsOf>>

/** What a stopped command has left is right, and running it again ends as if it had not been stopped. */
async function checkStopped(folder: string, the: Case, { before, after }: Ends): Promise<void> {
  // Whoever opens the folder now reads right weights, or finds a graph missing.
  for (const [name, content] of await contentsOf(folder))
    expect([before.contents.get(name), after.contents.get(name)]).toContain(content)
  // Reopened by the tools it is as before or as after, never between; where one graph follows the other, each of them.
  await recover(folder)
  const found = await filesOf(folder)
  if (!the.isAlone) expect([before.files, after.files]).toContainEqual(found)
  for (const name of the.graphs)
    expect([before.files.get(name), after.files.get(name)]).toContain(found.get(name))
  const isRenamed = the.name === 'rename-data' && found.has('renamed.data')
  if (!isRenamed) await graphCommand(commandIn(folder, the))
  expect(await filesOf(folder)).toEqual(after.files)
  expect(await contentsOf(folder)).toEqual(after.contents)
}

describe('graphs and data files change together', () => {
  it.each(CASES)('$name: stopped before any one of its steps', async (the) => {
    const ends = await endsOf(the)
    let step = 0
    for (let isOver = false; !isOver; ) {
      step++
      const folder = await freshCopy(the)
      let end = async () => {}
      const stopped = new Promise<boolean>((resolve) => {
        end = injectFault({ kind: 'freeze', at: step, onFault: () => resolve(false) })
        graphCommand(commandIn(folder, the)).then(() => resolve(true), resolve)
      })
      isOver = (await stopped) === true
      await end()
      await checkStopped(folder, the, ends)
    }
    expect(step).toBeGreaterThan(8)
  })

  // To the files a frozen command is a killed one: share is killed at every step, the others here and there, to see it.
  it.each(CASES)('$name: the process killed before its steps', async (the) => {
    const stride = the.name === 'share' ? 1 : 6
    const ends = await endsOf(the)
    let kills = 0
    for (let step = 1, isOver = false; !isOver; step += AT_ONCE * stride) {
      const runs = Array.from({ length: AT_ONCE }, async (_, i) => {
        const folder = await freshCopy(the)
        const env = { KILL_AT: String(step + i * stride) }
        const args = [builtModule('test/helpers/killed-command.ts'), ...commandIn(folder, the)]
        return { folder, ended: await execa(process.execPath, args, { env, reject: false }) }
      })
      for (const { folder, ended } of await Promise.all(runs)) {
        await checkStopped(folder, the, ends)
        if (ended.signal === 'SIGKILL') kills++
        else expect(ended.exitCode, ended.stderr).toBe(0)
        isOver ||= ended.exitCode === 0
      }
    }
    expect(kills).toBeGreaterThan(16 / stride)
  })

  it.each(CASES)('$name: a full disk at any step leaves everything as it was', async (the) => {
    const { before, after } = await endsOf(the)
    for (let step = 1; ; step++) {
      const folder = await freshCopy(the)
      const end = injectFault({ kind: 'full', at: step })
      const error = await graphCommand(commandIn(folder, the)).then(
        () => undefined,
        (reason) => reason,
      )
      await end()
      if (error === undefined) {
        expect(await filesOf(folder)).toEqual(after.files)
        expect(step).toBeGreaterThan(2)
        break
      }
      expect(error).toMatchObject({ code: 'ENOSPC' })
      const names = await readdir(folder)
      // Decided already: what is left is needed to finish.
      if (!names.includes(JOURNAL)) expect(names.filter((name) => name.endsWith('.partial'))).toEqual([])
      await recover(folder)
      const found = await filesOf(folder)
      if (!the.isAlone) expect([before.files, after.files]).toContainEqual(found)
      for (const name of the.graphs)
        expect([before.files.get(name), after.files.get(name)]).toContain(found.get(name))
    }
  })

  it.each(CASES.filter(({ name }) => name !== 'strip-allowzero'))(
    '$name: interrupted while it writes it removes what it has written',
    async (the) => {
      const folder = await freshCopy(the)
      const before = await filesOf(folder)
      let writes = 0
      const ui = {
        report: () => {},
        onBytes: (what: string, done: number) => {
          if (what === 'writing' && done > 0 && ++writes === 1) throw new Error('interrupted')
        },
      }
      await expect(graphCommand(commandIn(folder, the), ui)).rejects.toThrow('interrupted')
      expect((await readdir(folder)).sort()).toEqual([...before.keys()])
      expect(await filesOf(folder)).toEqual(before)
    },
  )
})
