// SPDX-License-Identifier: Apache-2.0

import { chmod, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { commit, recover } from '../../graph-tools/commit.ts'
import { JOURNAL } from '../../graph-tools/journal.ts'
import { PADDING_KEY, PATCH_MINIMUM, padding } from '../../graph-tools/keep-length.ts'
import { openModel } from '../../graph-tools/model.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { injectFault } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { graphCommand } from '../helpers/graph-command.ts'
import { rewritten, writeModel } from '../helpers/graph-files.ts'
import { writeLarge } from '../helpers/graph-folders.ts'
import { unknownField } from '../helpers/onnx.ts'

describe('a large file', () => {
  it('keeps its length and its weights where they are', async () => {
    const folder = await temporaryFolder()
    await writeLarge(folder)
    const path = join(folder, 'large.onnx')
    const before = { ...(await stat(path)), model: openModel(path) }
    await graphCommand(['strip-allowzero', path])
    const after = { ...(await stat(path)), model: openModel(path) }
    expect(after).toMatchObject({ size: before.size, ino: before.ino })
    expect(after.model.tensors[1]?.rawData).toEqual(before.model.tensors[1]?.rawData)
    expect(after.model.graph.nodes.flatMap(({ attributes }) => attributes)).toEqual([])
    expect(after.model.metadata.map(({ key }) => key)).toEqual([PADDING_KEY])

    // With another hard link it is written beside its place, without padding, and the other link stays as it was.
    const other = await temporaryFolder()
    await writeLarge(other)
    await link(join(other, 'large.onnx'), join(other, 'elsewhere'))
    await graphCommand(['strip-allowzero', join(other, 'large.onnx')])
    const whole = openModel(join(other, 'large.onnx'))
    expect(whole.bytes.length).toBe(before.size - 36)
    expect([whole.metadata, whole.graph.nodes.flatMap(({ attributes }) => attributes)]).toEqual([[], []])
    expect(openModel(join(other, 'elsewhere')).graph.nodes[0]?.attributes.length).toBe(1)
  })

  it('gets padding of any length that fits, under the one key', () => {
    for (let length = 0; length < 40_000; length += length < 20_000 ? 1 : 97) {
      const bytes = padding(length)
      if (length < 29) expect(bytes).toBeUndefined()
      else expect(bytes?.length, `${length}`).toBe(length)
    }
  })

  it('takes up its own padding in the next change, and leaves metadata of others alone', async () => {
    const folder = await temporaryFolder()
    await writeLarge(folder)
    const path = join(folder, 'large.onnx')
    const original = await readFile(path)
    const model = openModel(path)
    const others = ['padding', 'padding_side', 'padding2'].map((key) => metadata(key, 'left'))
    const { region } = model.graph
    await rewritten(model, [{ region, start: region.end, end: region.end, content: others }])
    await graphCommand(['strip-allowzero', path])
    const keys = openModel(path).metadata.map(({ key }) => key)
    expect(keys.sort()).toEqual(['padding', 'padding2', 'padding_side', PADDING_KEY])
    expect(openModel(path).bytes.length).toBe(original.length + Buffer.concat(others).length)
    const again = openModel(path)
    const [node] = again.graph.nodes
    if (!node) throw new Error('no node')
    const gone = { region: again.graph.region, start: node.field.tagStart, end: node.field.end, content: [] }
    await rewriteInPlace([again], { edits: [[gone]] })
    const last = openModel(path)
    expect(last.metadata.filter(({ key }) => key === PADDING_KEY).length).toBe(1)
    expect(last.bytes.length).toBe(again.bytes.length)
    const { tensors, graph } = last
    expect([graph.nodes.length, tensors.map(({ name }) => name)]).toEqual([1, ['shape', 'weight']])
  })

  it('becomes small when its weights leave it: padding is for changes that keep the length', async () => {
    const folder = await temporaryFolder()
    await writeLarge(folder)
    const path = join(folder, 'large.onnx')
    const original = await readFile(path)
    await graphCommand(['strip-allowzero', path])
    await graphCommand(['externalize', path, '--data', 'w.data'])
    expect((await stat(path)).size).toBeLessThan(300)
    expect((await stat(join(folder, 'w.data'))).size).toBe(PATCH_MINIMUM)
    expect(openModel(path).metadata).toEqual([])
    await graphCommand(['inline', path])
    expect((await stat(path)).size).toBe(original.length - 36)
  })

  it('is not patched through a link', async () => {
    const [folder, blobs] = [await temporaryFolder(), await temporaryFolder()]
    await writeLarge(blobs)
    const before = await readFile(join(blobs, 'large.onnx'))
    await symlink(join(blobs, 'large.onnx'), join(folder, 'large.onnx'))
    await expect(graphCommand(['strip-allowzero', join(folder, 'large.onnx')])).rejects.toThrow(
      `${join(folder, 'large.onnx')} is a link, wanted a file.`,
    )
    expect((await readFile(join(blobs, 'large.onnx'))).equals(before)).toBe(true)
    expect(await readdir(folder)).toEqual(['large.onnx'])
  })
})

describe('commit', () => {
  const content = [Buffer.from('new')]

  it('leaves no graph with data of another time, whatever the two files are called', async () => {
    const names = ['m.pb', 'weights.onnx']
    for (let step = 1, isOver = false; !isOver; step++) {
      const folder = await temporaryFolder()
      const [graph = '', data = ''] = names.map((name) => join(folder, name))
      for (const path of [graph, data]) await writeFile(path, 'old')
      let end = async () => {}
      isOver = await new Promise<boolean>((resolve, reject) => {
        end = injectFault({ kind: 'freeze', at: step, onFault: () => resolve(false) })
        const changes = [graph, data].map((path) => ({ path, content }))
        commit(folder, changes, { graphs: new Set([graph]) }).then(() => resolve(true), reject)
      })
      await end()
      const found = async (path: string) => readFile(path, 'utf8').catch(() => 'missing')
      const [ofGraph, ofData] = [await found(graph), await found(data)]
      if (ofGraph !== 'missing') expect(ofData, `step ${step}`).toBe(ofGraph)
      await recover(folder)
      expect(await found(graph)).toBe(await found(data))
      expect(step).toBeLessThan(40)
    }
  })

  it.each(['m.onnx', 'm.onnx.partial', 'm.onnx.patching.partial'])(
    'writes nothing where a link was planted at %s',
    async (name) => {
      const folder = await temporaryFolder()
      const outside = join(await temporaryFolder(), 'precious')
      await writeFile(outside, 'precious')
      await symlink(outside, join(folder, name))
      const change = { path: join(folder, 'm.onnx'), content }
      const message = `${join(folder, name)} is a link, wanted a file.`
      await expect(commit(folder, [change])).rejects.toThrow(message)
      expect(await readFile(outside, 'utf8')).toBe('precious')
      expect(await readdir(folder)).toEqual([name])
    },
  )

  it.each([
    ['a folder', (path: string) => mkdir(path), 'is a folder, wanted a file.'],
    ['a FIFO', (path: string) => execa('mkfifo', [path]), 'is not a regular file, wanted a file.'],
  ])('refuses %s as a target before anything changes', async (_what, make, message) => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a.onnx'), 'old')
    await make(join(folder, 'w.data'))
    const changes = ['a.onnx', 'w.data'].map((name) => ({ path: join(folder, name), content }))
    await expect(commit(folder, changes)).rejects.toThrow(`${join(folder, 'w.data')} ${message}`)
    expect((await readdir(folder)).sort()).toEqual(['a.onnx', 'w.data'])
    expect(await readFile(join(folder, 'a.onnx'), 'utf8')).toBe('old')
  })

  it('refuses one path twice, also spelled differently, or both written and removed', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'w.data'), 'old')
    const path = join(folder, 'w.data')
    const written = { path, content }
    for (const other of [
      written,
      { ...written, path: `${folder}/./w.data` },
      { path, remove: true } as const,
    ]) {
      await expect(commit(folder, [written, other])).rejects.toThrow('it names w.data twice')
    }
    expect(await readdir(folder)).toEqual(['w.data'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('refuses to reach out of the folder, also through a linked folder', async () => {
    const folder = await temporaryFolder()
    await symlink(await temporaryFolder(), join(folder, 'linked'))
    for (const path of [join(folder, '..', 'x'), join(folder, 'linked', 'x'), folder]) {
      await expect(commit(folder, [{ path, content }])).rejects.toThrow('is outside the folder')
    }
  })

  it('keeps the mode of what it replaces; a new file gets that of what it changes with', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'm.onnx'), 'old')
    await chmod(join(folder, 'm.onnx'), 0o600)
    const changes = ['w.data', 'm.onnx'].map((name) => ({ path: join(folder, name), content }))
    await commit(folder, changes)
    for (const name of ['w.data', 'm.onnx']) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })
})

describe('a journal that came with a folder', () => {
  const plant = async (journal: object) => {
    const folder = await temporaryFolder()
    await writeFile(
      join(folder, JOURNAL),
      JSON.stringify({ names: [], removes: [], patches: {}, ...journal }),
    )
    return folder
  }

  it.each([
    ['../x', 'removes', ''],
    ['/etc/passwd', 'removes', ''],
    ['a/../../x', 'names', ''],
    ['..\\x', 'removes', ''],
    ['', 'names', ''],
    ['.', 'names', ''],
    [7, 'names', 'it has no lists of names'],
  ])('is refused when it names %j', async (name, list, reason) => {
    const folder = await plant({ [list]: [name] })
    const shown = reason || `${JSON.stringify(name)} is outside the folder`
    await expect(recover(folder)).rejects.toThrow(`is not the journal of an interrupted change: ${shown}.`)
    expect(await readdir(folder)).toEqual([JOURNAL])
  })

  it.each([
    ['{"names": [', 'it is not valid JSON'],
    ['null', 'it is not an object'],
    ['[]', 'it has no lists of names'],
    ['{"names": [], "removes": {}, "patches": {}}', 'it has no lists of names'],
    ['{"names": [], "removes": [], "patches": {"a": -1}}', 'it has a wrong offset'],
    ['{"names": [], "removes": [], "patches": {"a": 1.5}}', 'it has a wrong offset'],
    ['{"names": [], "removes": [], "patches": []}', 'it has a wrong offset'],
    ['{"names": [], "removes": []}', 'it has a wrong offset'],
    ['{"names": [], "removes": [], "patches": {}, "graphs": "a"}', 'its graphs are not a list'],
  ])('is refused when it is %s', async (text, reason) => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, JOURNAL), text)
    await expect(recover(folder)).rejects.toThrow(`is not the journal of an interrupted change: ${reason}.`)
  })

  it.each(['x.onnx', 'x.onnx.partial', 'x.onnx.patching.partial'])(
    'writes through no link at %s',
    async (planted) => {
      const folder = await plant({ names: ['x.onnx'], patches: { 'x.onnx': 0 } })
      const victim = join(await temporaryFolder(), 'victim')
      await writeFile(victim, 'precious')
      for (const name of ['x.onnx.partial', 'x.onnx.patching.partial']) {
        if (name !== planted) await writeFile(join(folder, name), 'evil')
      }
      await symlink(victim, join(folder, planted))
      const message = `${join(folder, planted)} is a link, wanted a file.`
      await expect(recover(folder)).rejects.toThrow(message)
      expect(await readFile(victim, 'utf8')).toBe('precious')
    },
  )

  it('patches no file that has another name elsewhere', async () => {
    const folder = await plant({ names: ['x.onnx'], patches: { 'x.onnx': 0 } })
    const victim = join(await temporaryFolder(), 'victim')
    await writeFile(victim, 'precious')
    await writeFile(join(folder, 'x.onnx.partial'), 'evil')
    await link(victim, join(folder, 'x.onnx.patching.partial'))
    await expect(recover(folder)).rejects.toThrow('is another name of some file, wanted a file of its own')
    expect(await readFile(victim, 'utf8')).toBe('precious')
  })

  it('is a FIFO, and does not hang', async () => {
    const folder = await temporaryFolder()
    await execa('mkfifo', [join(folder, JOURNAL)])
    await expect(recover(folder)).rejects.toThrow(`${JOURNAL} is not a regular file`)
  })

  it('a leftover is reported by verify, which leaves it', async () => {
    const folder = await temporaryFolder()
    await writeModel(folder, 'm.onnx', { name: 'g' })
    await writeFile(join(folder, 'm.onnx.partial'), 'half')
    expect((await verifyFolder(folder)).problems).toEqual([
      'm.onnx.partial is left over from a run that was stopped. Delete it.',
    ])
    await writeFile(join(folder, JOURNAL), JSON.stringify({ names: ['m.onnx'], removes: [], patches: {} }))
    expect((await verifyFolder(folder)).problems).toEqual([
      'A change of this folder was interrupted; the next command that rewrites here finishes it.',
    ])
    expect((await readdir(folder)).sort()).toEqual([JOURNAL, 'm.onnx', 'm.onnx.partial'])
  })
})

function metadata(key: string, value: string): Uint8Array {
  return unknownField(16, Buffer.concat([unknownField(1, key), unknownField(2, value)]))
}
