// SPDX-License-Identifier: Apache-2.0

import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { inlineWeights } from '../../graph-tools/externalize.ts'
import { inspectModel } from '../../graph-tools/inspect.ts'
import { PADDING_KEY } from '../../graph-tools/keep-length.ts'
import { openModel } from '../../graph-tools/model.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { builtCommand, builtModule } from '../helpers/commands.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { bytesOf, tensorNamed, writeModel } from '../helpers/graph-files.ts'
import { floatTensor, int64Tensor, onnx, reshape, unknownField, varint } from '../helpers/onnx.ts'

const GB = 1e9

/** A file with a few bytes here and there and holes between: gigabytes that take no disk. */
async function sparseFile(
  path: string,
  size: number,
  parts: readonly (readonly [number, Uint8Array])[],
): Promise<void> {
  const file = await open(path, 'w')
  await file.truncate(size)
  for (const [offset, bytes] of parts) await file.write(bytes, 0, bytes.length, offset)
  await file.close()
}

/** A model with one inline weight of `bytes` zeros between its nodes and its opset. */
async function modelWithHole(path: string, bytes: number): Promise<void> {
  const before = onnx.GraphProto.encode({
    name: 'large',
    node: [reshape('r', 'shape', 1), reshape('s', 'shape', 1)],
    initializer: [int64Tensor('shape', [1, -1])],
  }).finish()
  const dims = Buffer.from([8, ...varint(bytes)]) // uint8 [bytes]
  const head = Buffer.concat([dims, Buffer.from([16, 2]), unknownField(8, 'weight')])
  const rawHead = Buffer.from([9 * 8 + 2, ...varint(bytes)])
  const tensorHead = Buffer.from([5 * 8 + 2, ...varint(head.length + rawHead.length + bytes)])
  const inner = Buffer.concat([before, tensorHead, head, rawHead])
  const after = unknownField(11, unknownField(1, 'x'))
  const graphHead = Buffer.from([7 * 8 + 2, ...varint(inner.length + bytes + after.length)])
  const start = Buffer.concat([Buffer.from([8, 10]), graphHead, inner])
  const opset = onnx.ModelProto.encode({ opsetImport: [{ domain: '', version: 18 }] }).finish()
  const end = Buffer.concat([after, opset])
  await sparseFile(path, start.length + bytes + end.length, [
    [0, start],
    [start.length + bytes, end],
  ])
}

describe('files of gigabytes', () => {
  it.each([1.3 * GB, 3 * GB])('a proto of %d bytes opens without reading its weight', async (bytes) => {
    const folder = await temporaryFolder()
    const path = join(folder, 'large.onnx')
    await modelWithHole(path, bytes)
    // A process of its own tells what it needed.
    const script = `import { openModel } from ${JSON.stringify(builtModule('graph-tools/model.ts'))}
      const started = performance.now()
      const { tensors, opsets, bytes } = openModel(${JSON.stringify(path)})
      const seconds = (performance.now() - started) / 1000
      const reads = tensors.map(({ name, dims, rawData }) => [name, dims, rawData.end - rawData.start])
      console.log(JSON.stringify({ seconds, reads, opset: opsets.get(''), bytes: bytes.length, memory: process.resourceUsage().maxRSS * 1024 }))`
    const args = ['--input-type=module', '--eval', script]
    const { stdout } = await execa(process.execPath, args)
    const found = JSON.parse(stdout)
    expect(found).toMatchObject({ opset: 18, bytes: (await stat(path)).size })
    expect(found.reads.at(-1)).toEqual(['weight', [bytes], bytes])
    expect(found.memory).toBeLessThan(200e6)
    expect(found.seconds).toBeLessThan(0.5)
  })

  it('weights of 700 MB leave their proto and come back in constant memory', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'large.onnx')
    await modelWithHole(path, 0.7 * GB)
    const before = await stat(path)
    const script = builtCommand('graph')
    for (const [command, ...options] of [['externalize', '--data', 'w.data'], ['inline']] as const) {
      const usage = `process.on('exit', () => process.stderr.write(String(process.resourceUsage().maxRSS)))`
      const preload = ['--import', `data:text/javascript,${encodeURIComponent(usage)}`]
      const args = [...preload, ...script, command, path, ...options]
      const { stderr, stdout } = await execa(process.execPath, args)
      expect(Number(stderr) * 1024).toBeLessThan(300e6)
      expect(stdout).toContain(command === 'inline' ? 'removed: w.data' : 'written: w.data, large.onnx')
      const size = command === 'inline' ? before.size : 300
      expect((await stat(path)).size).toBeLessThanOrEqual(size)
    }
    expect((await stat(path)).size).toBe(before.size)
    expect(tensorNamed(openModel(path), 'weight').rawData).toBeDefined()
  })

  it('a proto of almost 2 GB is edited without moving its weight, and none grows beyond', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'large.onnx')
    await modelWithHole(path, 2 ** 31 - 4096)
    const model = openModel(path)
    const { edits, stripped } = stripAllowzero(model)
    expect(stripped).toBe(2)
    await rewriteInPlace([model], { edits: [edits] })
    const edited = openModel(path)
    expect(edited.bytes.length).toBe(model.bytes.length)
    expect(edited.graph.nodes[0]?.attributes).toEqual([])
    expect(edited.metadata.map(({ key }) => key)).toEqual([PADDING_KEY])
    expect(edited.tensors.at(-1)?.rawData).toEqual(model.tensors.at(-1)?.rawData)
    expect(inspectModel(edited).weights[0]).toMatchObject({ type: 'uint8', bytes: 2 ** 31 - 4096 })
    expect(edited.opsets.get('')).toBe(18)
    expect((await stat(path)).blocks * 512).toBeLessThan(1e6) // the hole is still one: no weight was written
  })

  it('data files of 7 GB: offsets beyond 4 GB are read, checked, shared and written', async () => {
    const folder = await temporaryFolder()
    const tail = Buffer.from(Float32Array.from({ length: 2048 }, (_, i) => i).buffer)
    const [first, offset] = [6.9 * GB, Math.ceil((6.9 * GB) / 4096) * 4096]
    await sparseFile(join(folder, 'w.data'), offset + tail.length, [[offset, tail]])
    const external = (name: string, dims: number[], at: number) => ({
      name,
      dims,
      dataType: 1,
      dataLocation: 1,
      externalData: [
        { key: 'location', value: 'w.data' },
        { key: 'offset', value: String(at) },
        { key: 'length', value: String(4 * dims.reduce((a, b) => a * b)) },
      ],
    })
    const a = await writeModel(folder, 'a.onnx', {
      name: 'g',
      initializer: [external('huge', [first / 4], 0), external('tail', [2048], offset)],
    })
    const b = await writeModel(folder, 'b.onnx', {
      name: 'g',
      initializer: [floatTensor('equal', [...new Float32Array(tail.buffer, tail.byteOffset, 2048)])],
    })
    expect(await bytesOf(a, 'tail')).toEqual(tail)
    expect((await verifyFolder(folder)).problems).toEqual([])
    await expect(inlineWeights(a)).rejects.toThrow('protobuf allows 2147483647')

    // Nothing of 7 GB is written: the file is as it should be, and the other graph's tensor is its last one.
    const placement = await shareWeights([a, b], { folder, location: 'w.data', minimum: 256 })
    expect(placement).toMatchObject({ stored: 2, tensors: 3, bytes: offset + tail.length, data: [] })
    const done = await rewriteInPlace([a, b], placement)
    expect(done).toEqual({ written: ['b.onnx'], removed: [] })
    const shared = openModel(join(folder, 'b.onnx'))
    expect(tensorNamed(shared, 'equal').external.get('offset')).toBe(String(offset))
    expect(await bytesOf(shared, 'equal')).toEqual(tail)
    const decoded = onnx.ModelProto.decode(await readFile(join(folder, 'b.onnx')))
    expect(decoded.graph?.initializer?.[0]?.externalData).toContainEqual({
      key: 'offset',
      value: String(offset),
    })

    expect((await verifyFolder(folder)).problems).toEqual([])
  })
})
