import { createHash, randomBytes } from 'node:crypto'
import { link, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { gzip } from '../../pipeline/archive/gzip.ts'
import { readArchive } from '../../pipeline/archive/read-archive.ts'
import { writeArchive } from '../../pipeline/archive/write-archive.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const options = { signal: new AbortController().signal, onProgress: () => {} }

async function zipped(parts: readonly Uint8Array[], jobs: number, level = 6): Promise<Buffer> {
  const chunks: Buffer[] = []
  const source = (async function* () {
    yield* parts
  })()
  for await (const chunk of gzip(source, { level, jobs })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('gzip on all cores', () => {
  const MIB = 1 << 20
  it.each([0, 1, 32767, 32768, MIB - 1, MIB, MIB + 1, 5 * MIB + 17])('gives %d bytes back', async (size) => {
    const bytes = Buffer.concat([randomBytes(size >> 1), Buffer.alloc(size - (size >> 1), 'abc')])
    const cut = size / 3
    const parts = [bytes.subarray(0, cut), bytes.subarray(cut, 2 * cut), bytes.subarray(2 * cut)]
    const found = await zipped(parts, 3)
    expect(gunzipSync(found).equals(bytes)).toBe(true)
    // neither the cores nor how the input comes matter
    expect((await zipped([bytes], 1)).equals(found)).toBe(true)
  })

  it('finds what repeats across blocks', async () => {
    const block = randomBytes(20_000)
    const bytes = Buffer.concat(Array.from({ length: 160 }, () => block))
    // four blocks that did not know of each other would hold it four times
    expect((await zipped([bytes], 2)).length).toBeLessThan(3 * block.length)
  })

  it('passes an error of its source on', async () => {
    const source = (async function* () {
      yield randomBytes(3 << 20)
      throw new Error('the disk is gone')
    })()
    const read = async () => {
      for await (const _ of gzip(source, { level: 1 }));
    }
    await expect(read()).rejects.toThrow('the disk is gone')
  })
})

describe('an archive', () => {
  it('stores a file with two names once, and gives both back', async () => {
    const folder = await temporaryFolder()
    const bytes = randomBytes(300_000)
    await writeFile(join(folder, 'encoder.onnx'), bytes)
    await link(join(folder, 'encoder.onnx'), join(folder, 'encoder.int4.onnx'))
    await writeFile(join(folder, 'config.json'), '{}')
    const path = join(folder, 'model.tar.gz')
    const files = ['encoder.onnx', 'encoder.int4.onnx', 'config.json'].map((name) => join(folder, name))
    const written = await writeArchive(path, 'model', files, options)
    expect(written.size).toBe((await stat(path)).size)
    expect(written.size).toBeLessThan(310_000)
    expect(written.sha256).toBe(
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    )
    const out = join(folder, 'out')
    const unpacked = await readArchive(path, out, options)
    expect(unpacked).toMatchObject({ top: 'model', sha256: written.sha256 })
    expect(unpacked.members.map(({ name }) => name)).toEqual([
      'config.json',
      'encoder.int4.onnx',
      'encoder.onnx',
    ])
    for (const name of ['encoder.onnx', 'encoder.int4.onnx'])
      expect((await readFile(join(out, name))).equals(bytes)).toBe(true)
    await execa('tar', ['-xzf', path, '-C', folder])
    expect((await readFile(join(folder, 'model', 'encoder.onnx'))).equals(bytes)).toBe(true)
  })

  it('leaves nothing behind when it is stopped', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'weights.data'), randomBytes(4 << 20))
    const stop = new AbortController()
    const onProgress = () => stop.abort(new Error('stopped'))
    const writing = writeArchive(join(folder, 'x.tar.gz'), 'x', [join(folder, 'weights.data')], {
      signal: stop.signal,
      onProgress,
    })
    await expect(writing).rejects.toThrow()
    expect(await readdir(folder)).toEqual(['weights.data'])
  })
})
