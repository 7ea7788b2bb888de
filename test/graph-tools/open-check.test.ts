// SPDX-License-Identifier: Apache-2.0

import { appendFile, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { onnx as Onnx } from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { loadProblems } from '../../eval/runtime/load-check.ts'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { externalize } from '../../graph-tools/externalize.ts'
import { PATCH_MINIMUM } from '../../graph-tools/keep-length.ts'
import { openModel } from '../../graph-tools/model.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { graphLine } from '../helpers/graph-command.ts'
import { writeModel } from '../helpers/graph-files.ts'
import { floatTensor, int64Tensor, reshape, unknownField } from '../helpers/onnx.ts'

/* Slow: onnxruntime opens what is written, in a process of its own. */

const typed = (name: string, dims: number[]) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
})

/** A 0 beyond the input's rank has a meaning only with allowzero: without it no runtime opens the graph. */
const NEEDS_ALLOWZERO: Onnx.IGraphProto = {
  name: 'g',
  node: [reshape('r', 'shape', 1)],
  initializer: [int64Tensor('shape', [2, 2, 0])],
  input: [typed('x', [4, 0])],
  output: [typed('r_out', [2, 2, 0])],
}

const SUM: Onnx.IGraphProto = {
  name: 'g',
  node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
  initializer: [floatTensor('w', new Array(600).fill(2))],
  input: [typed('x', [600])],
  output: [typed('y', [600])],
}

const REFUSED = /^m\.onnx could not be opened after this rewrite, and can be now: .*Invalid position of 0/

describe('written graphs are opened before the old ones go', () => {
  it('by the commands: a rewrite that breaks a graph is refused, and nothing has changed', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'm.onnx')
    await writeModel(folder, 'm.onnx', NEEDS_ALLOWZERO)
    const before = await readFile(path)
    const command = ['strip-allowzero', path, '--assume-nonzero', '--json']
    await expect(graphLine(command)).rejects.toMatchObject({
      message: expect.stringMatching(REFUSED),
      hint: 'Nothing was changed.',
    })
    expect(await readFile(path)).toEqual(before)
    expect(await readdir(folder)).toEqual(['m.onnx'])
  })

  it('unless they could not be opened before', async () => {
    const folder = await temporaryFolder()
    const graph = {
      ...NEEDS_ALLOWZERO,
      node: [...(NEEDS_ALLOWZERO.node ?? []), { opType: 'Nothing', output: ['n'] }],
    }
    const model = await writeModel(folder, 'm.onnx', graph)
    const asked: (readonly string[])[] = []
    const opens = async (paths: readonly string[]) => {
      asked.push(paths)
      return paths.map(() => 'no such operator')
    }
    const done = await rewriteInPlace([model], { edits: [stripAllowzero(model, true).edits] }, { opens })
    expect(done.written).toEqual(['m.onnx'])
    expect(asked).toEqual([[join(folder, '.graph-tools-check.partial', 'm.onnx')], [join(folder, 'm.onnx')]])
    expect(await readdir(folder)).toEqual(['m.onnx'])
  })

  it('with their data files, old and new ones, in folders too', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'sub'))
    const kept = { name: 'kept', dims: [600], dataType: 1, dataLocation: 1 }
    const externalData = [{ key: 'location', value: 'sub/kept.data' }]
    const sum = { opType: 'Add', input: ['y', 'kept'], output: ['z'] }
    const graph = {
      ...{ ...SUM, node: [...(SUM.node ?? []), sum], output: [typed('z', [600])] },
      initializer: [...(SUM.initializer ?? []), { ...kept, externalData }],
    }
    await writeFile(join(folder, 'sub', 'kept.data'), new Uint8Array(2400))
    const model = await writeModel(folder, 'm.onnx', graph)
    const plan = await externalize([model], { folder, location: 'w.data', threshold: 1 })
    const seen: string[][] = []
    const opens = async (paths: readonly string[]) => {
      for (const path of paths) seen.push((await readdir(dirname(path), { recursive: true })).sort())
      return loadProblems(paths, 'disabled')
    }
    await rewriteInPlace([model], plan, { opens })
    expect(seen).toEqual([['m.onnx', 'sub', 'sub/kept.data', 'w.data']])
    expect(await loadProblems([join(folder, 'm.onnx')], 'basic')).toEqual([undefined])
    expect((await stat(join(folder, 'w.data'))).nlink).toBe(1)
  })

  it('with weights in the bodies of a node, whose data files may have one name alone', async () => {
    const folder = await temporaryFolder()
    const weight = floatTensor('v', new Array(600).fill(3))
    const bodyOf = (name: string, initializer: Onnx.ITensorProto[] = []) => ({
      name,
      type: 5,
      g: {
        ...{ name, initializer, output: [typed(name, [600])] },
        node: [{ opType: 'Add', input: ['x', initializer[0]?.name ?? 'w'], output: [name] }],
      },
    })
    const bodies = [bodyOf('then_branch', [weight]), bodyOf('else_branch')]
    const node = { opType: 'If', input: ['c'], output: ['z'], attribute: bodies }
    const condition = { name: 'c', dims: [], dataType: 9, int32Data: [1] }
    const model = await writeModel(folder, 'm.onnx', {
      ...{ ...SUM, node: [...(SUM.node ?? []), node] },
      initializer: [...(SUM.initializer ?? []), condition],
      output: [typed('y', [600]), typed('z', [600])],
    })
    const plan = await externalize([model], { folder, location: 'w.data', threshold: 1000 })
    const opens = (paths: readonly string[]) => loadProblems(paths, 'disabled')
    const done = await rewriteInPlace([model], plan, { opens })
    expect(done.written).toEqual(['w.data', 'm.onnx'])
    expect(openModel(join(folder, 'm.onnx')).tensors.filter(({ location }) => location)).toHaveLength(2)
    expect(await loadProblems([join(folder, 'm.onnx')], 'basic')).toEqual([undefined])
  })

  it('as they will be when a large graph is patched in its place', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'm.onnx')
    const weight = {
      name: 'w',
      dims: [PATCH_MINIMUM],
      dataType: 2,
      rawData: Buffer.alloc(PATCH_MINIMUM, 'w'),
    }
    await writeModel(folder, 'm.onnx', {
      ...NEEDS_ALLOWZERO,
      initializer: [...(NEEDS_ALLOWZERO.initializer ?? []), weight],
    })
    const trace = Buffer.concat([unknownField(1, 'pkg.torch.onnx.trace'), unknownField(2, '/home/me')])
    await appendFile(path, unknownField(14, trace))
    const before = await readFile(path)
    const model = openModel(path)
    const sizes: number[] = []
    const opens = async (paths: readonly string[]) => {
      for (const tried of paths) sizes.push((await stat(tried)).size)
      return loadProblems(paths, 'disabled')
    }
    const rewrite = { edits: [stripAllowzero(model, true).edits] }
    await expect(rewriteInPlace([model], rewrite, { opens })).rejects.toThrow(REFUSED)
    expect((await readFile(path)).equals(before)).toBe(true)
    // a patched file keeps its length: padding stands in the place of what went
    expect(sizes.at(-1)).toBe(before.length)
    await rewriteInPlace([model], { edits: [stripTraces(model)] }, { opens })
    expect(openModel(path).metadata.map(({ key }) => key)).not.toContain('pkg.torch.onnx.trace')
  })
})

describe('onnxruntime in a process of its own', () => {
  /** onnxruntime ends the process on an empty tensor in an empty data file. */
  async function deadly(folder: string): Promise<string> {
    const entries = { location: 'empty.data', offset: '0', length: '0' }
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }))
    await writeFile(join(folder, 'empty.data'), '')
    await writeModel(folder, 'deadly.onnx', {
      name: 'g',
      node: [
        { opType: 'Concat', input: ['x', 'e'], output: ['y'], attribute: [{ name: 'axis', type: 2, i: 0 }] },
      ],
      initializer: [{ name: 'e', dims: [0, 3], dataType: 1, dataLocation: 1, externalData }],
      input: [typed('x', [2, 3])],
      output: [typed('y', [2, 3])],
    })
    return join(folder, 'deadly.onnx')
  }

  it('a native abort is the answer for that graph, and the next one is opened', async () => {
    const folder = await temporaryFolder()
    const path = await deadly(folder)
    await writeModel(folder, 'm.onnx', SUM)
    await copyFile(join(folder, 'm.onnx'), join(folder, 'n.onnx'))
    const paths = [join(folder, 'm.onnx'), path, join(folder, 'n.onnx'), join(folder, 'missing.onnx')]
    const [one, abort, other, missing] = await loadProblems(paths, 'basic')
    expect([one, other]).toEqual([undefined, undefined])
    expect(abort).toBe('it ended the process that opened it (SIGABRT).')
    expect(missing).toContain('missing.onnx')
  })

  it('ends when it is interrupted', async () => {
    const folder = await temporaryFolder()
    await writeModel(folder, 'm.onnx', SUM)
    const stopped = new AbortController()
    const waiting = loadProblems([join(folder, 'm.onnx')], 'basic', stopped.signal)
    stopped.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
  })
})
