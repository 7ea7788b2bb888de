import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, link, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { commit, JOURNAL, recover } from '../../graph-tools/commit.ts'
import { externalize } from '../../graph-tools/externalize.ts'
import { PADDING_KEY, PATCH_MINIMUM, padding } from '../../graph-tools/keep-length.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { PROJECT } from '../../pipeline/models.ts'
import { injectFault } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { graphCommand } from '../helpers/graph-command.ts'
import { bytesOf, writeModel } from '../helpers/graph-files.ts'
import { floatTensor, int64Tensor, reshape } from '../helpers/onnx.ts'

const numbers = (count: number, scale = 1) => Array.from({ length: count }, (_, i) => scale * i)

/** Two graphs with equal and different weights, each with a data file. */
async function makeFolder(folder: string): Promise<void> {
  const common = floatTensor('common', numbers(600))
  for (const [name, scale, location] of [
    ['a', 2, 'w.data'],
    ['b', 3, 'b.data'],
  ] as const) {
    const initializer = [floatTensor('own', numbers(500, scale)), common]
    const model = await writeModel(folder, `${name}.onnx`, { name: 'g', initializer })
    await rewriteInPlace([model], await externalize(model, { folder, location, threshold: 1 }))
  }
}

/** A graph above the size from which files are patched where they are. */
async function makeLarge(folder: string): Promise<void> {
  await writeModel(folder, 'large.onnx', {
    name: 'g',
    node: [reshape('r', 'shape', 1), reshape('s', 'shape', 1)],
    initializer: [
      int64Tensor('shape', [1, -1]),
      { name: 'weight', dims: [PATCH_MINIMUM], dataType: 2, rawData: Buffer.alloc(PATCH_MINIMUM, 'weights') },
    ],
  })
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}

/** Every tensor of every graph there is, by content. */
async function contentOfFolder(folder: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>()
  for (const name of ['a.onnx', 'b.onnx', 'large.onnx']) {
    if (!existsSync(join(folder, name))) continue
    const model: Model = openModel(join(folder, name))
    for (const tensor of model.tensors) {
      const bytes = await bytesOf(model, tensor.name)
      contents.set(`${name} ${tensor.name}`, hashOf(bytes))
    }
  }
  return contents
}

async function filesOf(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith('.partial')).sort()
  return new Map(
    await Promise.all(names.map(async (name) => [name, hashOf(await readFile(join(folder, name)))] as const)),
  )
}

const COMMANDS = [['share'], ['share elsewhere'], ['rename-data'], ['inline'], ['strip-allowzero']]

describe('graphs and data files change together', () => {
  let made: string

  beforeAll(async () => {
    made = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-commit-'))
    await makeFolder(made)
    return () => rm(made, { recursive: true })
  })

  async function copyOfMade(command: string): Promise<string> {
    const folder = await temporaryFolder()
    if (command === 'strip-allowzero') await makeLarge(folder)
    else await cp(made, folder, { recursive: true })
    return folder
  }

  const filesIn = (folder: string, command: string) => {
    // Only one of the graphs reads the file that is renamed; the large one is patched where it is.
    const files: Record<string, string[]> = { 'rename-data': ['a.onnx'], 'strip-allowzero': ['large.onnx'] }
    return (files[command] ?? ['a.onnx', 'b.onnx']).map((name) => join(folder, name))
  }

  /** What a stopped command has left is right, and running it again ends as if it had not been stopped. */
  async function checkStopped(folder: string, command: string, wanted: Awaited<ReturnType<typeof endsOf>>) {
    // Whoever opens the folder now reads right weights, or finds a graph missing.
    for (const [name, content] of await contentOfFolder(folder))
      expect(content).toBe(wanted.contents.get(name))
    // Reopened by the tools it is as before or as after, never between; inline takes one graph after the other.
    await recover(folder)
    const found = await filesOf(folder)
    expect(await contentOfFolder(folder)).toEqual(wanted.contents)
    if (command !== 'inline') expect([wanted.before, wanted.after]).toContainEqual(found)
    const isRenamed = command === 'rename-data' && found.has('renamed.data')
    if (!isRenamed) await graphCommand([command, ...filesIn(folder, command)])
    expect(await filesOf(folder)).toEqual(wanted.after)
  }

  async function endsOf(command: string) {
    const folder = await copyOfMade(command)
    const before = await filesOf(folder)
    await graphCommand([command, ...filesIn(folder, command)])
    const after = await filesOf(folder)
    expect(after).not.toEqual(before)
    expect((await verifyFolder(folder)).problems).toEqual([])
    return { before, after, contents: await contentOfFolder(folder) }
  }

  it.each(COMMANDS)('%s: stopped before any one of its steps', async (command) => {
    const wanted = await endsOf(command)
    let step = 0
    for (let isOver = false; !isOver; ) {
      step++
      const folder = await copyOfMade(command)
      let end = async () => {}
      const stopped = new Promise<boolean>((resolve) => {
        end = injectFault({ kind: 'freeze', at: step, onFault: () => resolve(false) })
        graphCommand([command, ...filesIn(folder, command)]).then(() => resolve(true), resolve)
      })
      isOver = (await stopped) === true
      await end()
      await checkStopped(folder, command, wanted)
    }
    expect(step).toBeGreaterThan(10)
  })

  it('share: the process killed before any one of its steps', async () => {
    const wanted = await endsOf('share')
    const helpers = join(PROJECT, 'test', 'helpers')
    const preload = ['--import', import.meta.resolve('tsx'), '--import', join(helpers, 'faults.ts')]
    let kills = 0
    for (let step = 1, isOver = false; !isOver; step += 3) {
      // Three steps at a time, to use both cores.
      const ends = await Promise.all(
        [step, step + 1, step + 2].map(async (at) => {
          const folder = await copyOfMade('share')
          const args = ['graph-command', 'share', ...filesIn(folder, 'share')]
          const script = join(helpers, 'graph-command.ts')
          const env = { KILL_AT: String(at) }
          const ended = await execa(process.execPath, [...preload, script, ...args], { env, reject: false })
          return { folder, ended }
        }),
      )
      for (const { folder, ended } of ends) {
        await checkStopped(folder, 'share', wanted)
        if (ended.signal === 'SIGKILL') kills++
        else expect(ended.exitCode, ended.stderr).toBe(0)
        isOver ||= ended.exitCode === 0
      }
    }
    expect(kills).toBeGreaterThan(10)
  })

  it.each(COMMANDS)('%s: a full disk at any step leaves everything as it was', async (command) => {
    const { before, after } = await endsOf(command)
    for (let step = 1; ; step++) {
      const folder = await copyOfMade(command)
      const end = injectFault({ kind: 'full', at: step })
      const error = await graphCommand([command, ...filesIn(folder, command)]).then(
        () => undefined,
        (reason) => reason,
      )
      await end()
      if (error === undefined) {
        expect(await filesOf(folder)).toEqual(after)
        expect(step).toBeGreaterThan(3)
        break
      }
      expect(error).toMatchObject({ code: 'ENOSPC' })
      const names = await readdir(folder)
      // Decided already: what is left is needed to finish.
      if (!names.includes(JOURNAL)) expect(names.filter((name) => name.endsWith('.partial'))).toEqual([])
      if (command === 'inline') continue // takes one graph after the other: the first may be done
      await recover(folder)
      expect([before, after]).toContainEqual(await filesOf(folder))
    }
  })
})

describe('a large file', () => {
  it('keeps its length and its weights where they are', async () => {
    const folder = await temporaryFolder()
    await makeLarge(folder)
    const path = join(folder, 'large.onnx')
    const before = { ...(await stat(path)), model: openModel(path) }
    await graphCommand(['strip-allowzero', path])
    const after = { ...(await stat(path)), model: openModel(path) }
    expect(after).toMatchObject({ size: before.size, ino: before.ino })
    expect(after.model.tensors[1]?.rawData).toEqual(before.model.tensors[1]?.rawData)
    expect(after.model.graph.nodes.flatMap(({ attributes }) => attributes)).toEqual([])
    expect(after.model.metadata.map(({ key }) => key)).toEqual([PADDING_KEY])

    // With another hard link it is written beside its place, with the same bytes, and the other link stays as it was.
    const other = await temporaryFolder()
    await makeLarge(other)
    await link(join(other, 'large.onnx'), join(other, 'elsewhere'))
    await graphCommand(['strip-allowzero', join(other, 'large.onnx')])
    expect((await readFile(join(other, 'large.onnx'))).equals(await readFile(path))).toBe(true)
    expect(openModel(join(other, 'elsewhere')).graph.nodes[0]?.attributes.length).toBe(1)
  })

  it('gets padding of any length that fits', () => {
    for (let length = 0; length < 40_000; length += length < 20_000 ? 1 : 97) {
      const bytes = padding(length)
      if (length < 14) expect(bytes).toBeUndefined()
      else expect(bytes?.length, `${length}`).toBe(length)
    }
  })
})

describe('commit', () => {
  it('does not write through a link that was planted where a partial file goes', async () => {
    const folder = await temporaryFolder()
    const outside = join(await temporaryFolder(), 'precious')
    await writeFile(outside, 'precious')
    await symlink(outside, join(folder, 'm.onnx.partial'))
    await commit(folder, [{ path: join(folder, 'm.onnx'), content: [Buffer.from('new')] }])
    expect(await readFile(outside, 'utf8')).toBe('precious')
    expect(await readFile(join(folder, 'm.onnx'), 'utf8')).toBe('new')
  })

  it.each([
    ['../x', 'removes'],
    ['/etc/passwd', 'removes'],
    ['a/../../x', 'names'],
    ['..\\x', 'removes'],
    ['', 'names'],
  ])('refuses a journal that names %j', async (name, list) => {
    const folder = await temporaryFolder()
    await writeFile(
      join(folder, JOURNAL),
      JSON.stringify({ names: [], removes: [], patches: {}, [list]: [name] }),
    )
    await expect(recover(folder)).rejects.toThrow('is no journal of an interrupted change')
  })

  it('refuses to reach out of the folder', async () => {
    const folder = await temporaryFolder()
    const change = { path: join(folder, '..', 'x'), content: [Buffer.from('x')] }
    await expect(commit(folder, [change])).rejects.toThrow('reaches out of it')
  })

  it('a leftover is reported by verify', async () => {
    const folder = await temporaryFolder()
    await writeModel(folder, 'm.onnx', { name: 'g' })
    await writeFile(join(folder, 'm.onnx.partial'), 'half')
    expect((await verifyFolder(folder)).problems).toEqual([
      'm.onnx.partial is left over from a run that was stopped.',
    ])
  })
})
