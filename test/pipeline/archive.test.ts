// SPDX-License-Identifier: Apache-2.0

import { createHash, randomBytes } from 'node:crypto'
import { link, lstat, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { execa } from 'execa'
import { type Header, pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { gzip } from '../../pipeline/release/archive/gzip.ts'
import { readArchive, tarLimit } from '../../pipeline/release/archive/read-archive.ts'
import { writeArchive } from '../../pipeline/release/archive/write-archive.ts'
import { EXIT, Failure } from '../../pipeline/shared/failure.ts'
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
    const expected = new Map([
      ['encoder.onnx', 300_000],
      ['encoder.int4.onnx', 300_000],
      ['config.json', 2],
    ])
    const unpacked = await readArchive(path, out, {
      ...{ ...options, maxBytes: tarLimit(expected) },
      expected: (top) => (top === 'model' ? expected : undefined),
    })
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

describe('a hostile archive', () => {
  const EXPECTED = new Map([
    ['config.json', 2],
    ['weights.data', 5000],
    ['copy.data', 5000],
  ])
  type Entry = Partial<Header> & { readonly name: string; readonly content?: Buffer | string }
  const config: Entry = { name: 'model/config.json', content: '{}' }
  const weights: Entry = { name: 'model/weights.data', content: Buffer.alloc(5000, 7) }

  async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
    const archive = pack()
    for (const { content = '', ...header } of entries) archive.entry(header, content)
    archive.finalize()
    const chunks: Buffer[] = []
    for await (const chunk of archive) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  /** Unpack it, and see what was written. */
  async function unpack(tar: Buffer) {
    const folder = await temporaryFolder()
    const path = join(folder, 'model.tar.gz')
    await writeFile(path, gzipSync(tar))
    const out = join(folder, 'deep', 'out')
    const error = await readArchive(path, out, {
      ...{ ...options, maxBytes: tarLimit(EXPECTED) },
      expected: (top) => (top === 'model' ? EXPECTED : undefined),
    }).then(
      () => undefined,
      (error: Failure) => error,
    )
    expect((await readdir(folder)).sort()).toEqual(['deep', 'model.tar.gz'])
    expect(await readdir(join(folder, 'deep'))).toEqual(['out'])
    for (const name of await readdir(out)) {
      const info = await lstat(join(out, name))
      expect(info.isFile() && info.size <= (EXPECTED.get(name) ?? -1), name).toBe(true)
    }
    return { error, written: (await readdir(out)).sort() }
  }

  const SHAPE = 'wanted files in one folder, each once.'
  const UNNAMED = 'which the manifest does not name.'
  const cases: [string, Entry[], string][] = [
    ['a path that leads out', [{ name: '../x', content: 'x' }], `"../x" (file), ${SHAPE}`],
    ['a path out by its folder', [{ name: 'model/../x' }], `"model/../x" (file), ${SHAPE}`],
    ['a path of the system', [{ name: '/tmp/x' }], `"/tmp/x" (file), ${SHAPE}`],
    ['a path of Windows', [{ name: 'model/C:\\x' }], `"model/C:\\\\x" (file), ${SHAPE}`],
    ['a folder in its folder', [{ name: 'model/a/b' }], `"model/a/b" (file), ${SHAPE}`],
    ['no folder', [{ name: 'config.json' }], `"config.json" (file), ${SHAPE}`],
    ['a second folder', [config, { name: 'other/weights.data' }], `"other/weights.data" (file), ${SHAPE}`],
    ['a folder that is not known', [{ name: 'else/config.json', content: '{}' }], UNNAMED],
    ['a name twice', [config, config], `"model/config.json" (file), ${SHAPE}`],
    ['a name in another case', [config, { name: 'model/Config.json' }], `"model/Config.json", ${UNNAMED}`],
    ['a file too many', [config, { name: 'model/run.sh', content: 'rm' }], `"model/run.sh", ${UNNAMED}`],
    ['a file too large', [{ ...config, content: '{ }' }], 'model/config.json with 3 bytes, wanted 2.'],
    ['a file too small', [{ ...config, content: '' }], 'model/config.json with 0 bytes, wanted 2.'],
    [
      'a link of symbols',
      [{ name: 'model/config.json', type: 'symlink', linkname: '/etc/passwd' }],
      `"model/config.json" (symlink), ${SHAPE}`,
    ],
    [
      'a hard link to the outside',
      [{ name: 'model/config.json', type: 'link', linkname: '/etc/passwd' }],
      'config.json -> /etc/passwd',
    ],
    [
      'a hard link to what comes later',
      [{ name: 'model/copy.data', type: 'link', linkname: 'model/weights.data' }, weights],
      'copy.data -> model/weights.data',
    ],
    [
      'a hard link of another size',
      [config, { name: 'model/copy.data', type: 'link', linkname: 'model/config.json' }],
      'copy.data with 2 bytes, wanted 5000.',
    ],
    ...(['character-device', 'block-device', 'fifo', 'directory'] as const).map(
      (type): [string, Entry[], string] => [
        `a ${type}`,
        [{ name: 'model/config.json', type }],
        `"model/config.json" (${type}), ${SHAPE}`,
      ],
    ),
  ]
  it.each(cases)('with %s is refused by name', async (_, entries, message) => {
    const { error } = await unpack(await tarOf(entries))
    expect(error).toBeInstanceOf(Failure)
    expect(error?.message).toContain(message)
    expect(error?.hint).toContain('It is not an archive of this release')
    expect(error?.exitCode).toBe(EXIT.gate)
  })

  it('that announces eight gigabytes is refused before a byte of them is written', async () => {
    const tar = (await tarOf([config])).subarray(0, 1024)
    const huge = (await tarOf([{ name: 'model/weights.data', content: 'x' }])).subarray(0, 512)
    huge.write('77777777777\0', 124) // size, octal
    huge.fill(' ', 148, 156) // the checksum counts as spaces
    const sum = huge.reduce((total, byte) => total + byte, 0)
    huge.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    const { error, written } = await unpack(Buffer.concat([tar, huge, Buffer.alloc(4 << 20)]))
    expect(error?.message).toBe('The archive holds model/weights.data with 8589934591 bytes, wanted 5000.')
    expect(written).toEqual(['config.json'])
  })

  it('with more zeros behind its end, or in a header, than it may hold is refused', async () => {
    const zeros = Buffer.alloc(40 << 20)
    const behind = await unpack(Buffer.concat([await tarOf([config]), zeros]))
    const header = await unpack(
      await tarOf([{ ...config, pax: { comment: 'x'.repeat(3 << 20) } } as Entry, weights]),
    )
    for (const { error } of [behind, header])
      expect(error?.message).toBe(
        `The archive unpacks to more than the ${tarLimit(EXPECTED)} bytes that it may have.`,
      )
    expect(header.written).toEqual([])
  })

  it('with files of macOS says where they come from', async () => {
    const { error } = await unpack(await tarOf([{ name: 'model/._config.json', content: 'x' }]))
    expect(error?.message).toContain('"model/._config.json"')
    expect(error?.hint).toContain('macOS adds such files')
  })
})
