// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { appendFile, chmod, link, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { beforeEach, describe, expect, it } from 'vitest'
import { JOURNAL } from '../../graph-tools/journal.ts'
import { openModel } from '../../graph-tools/model.ts'
import { builtCommand } from '../helpers/commands.ts'
import { eventsOf } from '../helpers/events.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { writeModel } from '../helpers/graph-files.ts'
import { contentsOf, filesOf, writeDecoders } from '../helpers/graph-folders.ts'
import { encodeModel, floatTensor, reshape } from '../helpers/onnx.ts'

const GRAPH = builtCommand('graph')

function graph(...args: string[]) {
  return execa(process.execPath, [...GRAPH, ...args], { reject: false })
}

let folder = ''
const at = (name: string) => join(folder, name)

beforeEach(async () => {
  folder = await temporaryFolder()
})

describe('names that are not given are not overwritten', () => {
  it.each([
    [
      ['share', 'a.onnx', 'b.onnx', '--data', 'a.onnx'],
      'a.onnx is the name of a graph, wanted that of a data file.',
    ],
    [['externalize', 'a.onnx', '--data', 'b.onnx'], 'b.onnx is the name of a graph'],
    [
      ['externalize', 'a.onnx', '--data', 'config.json'],
      'config.json is there already, and none of the given graphs',
    ],
    [
      ['externalize', 'a.onnx', '--data', 'b.data'],
      'b.data is there already, and none of the given graphs reads it.',
    ],
    [['rename-data', 'a.onnx', '--to', 'config.json'], 'config.json is there already'],
    [['rename-data', 'a.onnx', '--to', './w.data'], 'The graphs read a file w.data already.'],
    [['alias', 'a.onnx', 'b.onnx'], 'b.onnx is there already, and is not the same as'],
    [['alias', 'a.onnx', 'embed_tokens.bin'], 'embed_tokens.bin is there already'],
    [['share', 'a.onnx', 'b.onnx', '--data', '/abs.data'], "is outside the model's folder"],
    [['share', 'a.onnx', 'b.onnx', '--data', 't/w.data'], 'There is no folder'],
    [['inline', 'a.onnx', 'nowhere.onnx'], 'There is no file'],
  ])('%j', async (args, message) => {
    await writeDecoders(folder, 'outside')
    const before = await filesOf(folder)
    const [command = '', ...rest] = args
    const isFile = (arg: string) => arg.endsWith('.onnx') || command === 'alias'
    const after = rest.indexOf('--data') >= 0 ? rest.indexOf('--data') : rest.length
    const ended = await graph(command, ...rest.map((arg, i) => (isFile(arg) && i < after ? at(arg) : arg)))
    expect(ended.stderr).toContain(message)
    expect([ended.stdout, ended.exitCode]).toEqual(['', 1])
    expect(await filesOf(folder)).toEqual(before)
  })

  it('one file spelled in two ways is one file', async () => {
    await writeDecoders(folder, 'outside')
    const before = await contentsOf(folder)
    for (const data of ['./shared.data', 'shared.data', 'x/../shared.data']) {
      const ended = await graph('share', at('b.onnx'), at('a.onnx'), '--data', data)
      expect(ended.exitCode, ended.stderr).toBe(0)
      expect(await contentsOf(folder)).toEqual(before)
    }
    expect((await readdir(folder)).sort()).toEqual(
      ['a.onnx', 'b.onnx', 'config.json', 'embed_tokens.bin', 'shared.data'].sort(),
    )
    // A graph that is not given says ./shared.data: it is a reader of it all the same.
    const externalData = [
      { key: 'location', value: './shared.data' },
      { key: 'length', value: '16' },
    ]
    const initializer = [{ name: 't', dims: [4], dataType: 1, dataLocation: 1, externalData }]
    await writeModel(folder, 'c.onnx', { name: 'g', initializer })
    const args = ['share', at('a.onnx'), at('b.onnx'), '--data', 'shared.data', '--minimum', '2100']
    const refused = await graph(...args)
    expect(refused.stderr).toBe(
      `error: ${at('c.onnx')} reads shared.data too, and would be broken.\nhint: Give it as well.`,
    )
  })
})

describe('options', () => {
  it.each([
    [['--threshold', 'foo'], '--threshold is "foo", wanted a number of bytes.'],
    [['--threshold', '1k'], '--threshold is "1k", wanted a number of bytes.'],
    [['--threshold=-1'], '--threshold is "-1", wanted a number of bytes.'],
    [['--data', 'a', '--data', 'b'], '--data is given 2 times, wanted once.'],
  ])('%j is refused', async (options, message) => {
    await writeDecoders(folder, 'inside')
    const before = await filesOf(folder)
    const ended = await graph('externalize', at('a.onnx'), ...options)
    expect(ended.stderr).toContain(`error: ${message}`)
    expect(ended.exitCode).toBe(2)
    expect(await filesOf(folder)).toEqual(before)
  })

  it('--json reports what a rewrite did, and failures too', async () => {
    await writeDecoders(folder, 'inside')
    const args = ['externalize', at('a.onnx'), at('b.onnx'), '--data', 'w.data', '--json']
    const told = await graph(...args)
    const [report, done, ...rest] = eventsOf(told.stdout)
    expect(report).toEqual({
      event: 'report',
      command: 'externalize',
      graphs: ['a.onnx', 'b.onnx'],
      written: ['w.data', 'a.onnx', 'b.onnx'],
      removed: [],
      tensors: 6,
      stored: 4,
      bytes: expect.any(Number),
    })
    expect(done).toEqual({ event: 'done', seconds: expect.any(Number) })
    expect(rest).toEqual([])
    expect(told.stderr).toMatch(/^note: --json prints one event a line: .*"event":"report"/)
    const failed = await graph('tie', at('nowhere.onnx'), '--json')
    expect(eventsOf(failed.stdout)).toEqual([
      {
        event: 'failure',
        message: `There is no file ${at('nowhere.onnx')}.`,
        hint: 'verify lists the content of the folder.',
        exitCode: 1,
      },
    ])
  })
})

describe('one file under several names', () => {
  it('is rewritten once, and stays one file', async () => {
    await writeDecoders(folder, 'outside')
    await link(at('a.onnx'), at('a.int4.onnx'))
    const ended = await graph('inline', at('a.int4.onnx'), at('a.onnx'), at('b.onnx'))
    expect(ended.exitCode, ended.stderr).toBe(0)
    expect((await stat(at('a.int4.onnx'))).ino).toBe((await stat(at('a.onnx'))).ino)
    expect(openModel(at('a.onnx')).tensors.every(({ location }) => location === undefined)).toBe(true)
    expect((await readdir(folder)).filter((name) => name.endsWith('.data'))).toEqual([])
  })

  it('alias makes no graph without its data, and takes the place of an equal copy', async () => {
    await writeDecoders(folder, 'outside')
    const elsewhere = join(await temporaryFolder(), 'a.onnx')
    const refused = await graph('alias', at('a.onnx'), elsewhere)
    expect(refused.stderr).toContain(`${at('a.onnx')} reads w.data, which would not be beside ${elsewhere}.`)
    expect([refused.exitCode, existsSync(elsewhere)]).toEqual([1, false])
    await writeFile(at('copy.onnx'), await readFile(at('a.onnx')))
    expect((await graph('alias', at('a.onnx'), at('copy.onnx'))).exitCode).toBe(0)
    expect((await stat(at('copy.onnx'))).ino).toBe((await stat(at('a.onnx'))).ino)
  })
})

describe('files that are none, and hostile names', () => {
  const external = (location: string) => ({
    name: 'g',
    initializer: [
      {
        name: 't',
        dims: [4],
        dataType: 1,
        dataLocation: 1,
        externalData: [{ key: 'location', value: location }],
      },
    ],
  })

  it.each(['fifo', '.', 'sub'])('a location that is not a file (%s) is refused at once', async (location) => {
    await execa('mkfifo', [at('fifo')])
    await execa('mkdir', [at('sub')])
    await writeModel(folder, 'm.onnx', external(location))
    const ended = await graph('inline', at('m.onnx'))
    expect(ended.stderr).toMatch(/error: .* is (not a regular file|a folder), wanted a file\./)
    expect(ended.exitCode).toBe(1)
    const fifo = await graph('inspect', at('fifo'))
    expect(fifo.stderr).toContain(`${at('fifo')} is not a regular file, wanted a file.`)
  })

  it('names cannot steer the terminal', async () => {
    const name = '\u001b]0;owned\u0007\nhint: run this'
    await writeModel(folder, 'm.onnx', {
      name: 'g',
      node: [reshape(name, 'given', 1)],
      input: [{ name: `in${name}` }],
    })
    const shown = '\\u{1b}]0;owned\\u{7}\\u{a}hint: run this'
    expect((await graph('inspect', at('m.onnx'))).stdout).toContain(`in${shown}`)
    expect((await graph('strip-allowzero', at('m.onnx'))).stdout).toContain(`may hold a 0: ${shown}\n`)
  })

  it('a reader that has gone is not an error', async () => {
    const node = Array.from({ length: 3000 }, (_, i) => ({ opType: `Op${i}`, output: [`y${i}`] }))
    await writeModel(folder, 'm.onnx', { name: 'g', node })
    const command = `${process.execPath} ${GRAPH.join(' ')} inspect ${at('m.onnx')} ${at('m.onnx')} | head -1`
    const ended = await execa('bash', ['-o', 'pipefail', '-c', command], { reject: false })
    expect(ended.stdout).toMatch(/^m\.onnx: /)
    expect(ended.stderr).toBe('')
  })

  it('missing and short data files are named, whatever the command', async () => {
    await writeDecoders(folder, 'outside')
    await writeFile(at('b.data'), 'short')
    for (const [command, ...options] of [['inline'], ['rename-data', '--to', 'c.data']] as const) {
      const short = await graph(command, at('b.onnx'), ...options)
      expect(short.stderr).toContain(`${at('b.data')} ends at byte 5, but a tensor reaches to byte 2000.`)
    }
    await execa('rm', [at('b.data')])
    const missing = await graph('rename-data', at('b.onnx'), '--to', 'c.data')
    expect(missing.stderr).toContain(`error: The data file ${at('b.data')} is missing.`)
  })

  it('a broken graph of the folder is named with the reason for opening it', async () => {
    await writeDecoders(folder, 'outside')
    await writeFile(at('empty.onnx'), '')
    const ended = await graph('share', at('a.onnx'), at('b.onnx'), '--data', 'shared.data')
    expect(ended.stderr).toContain('It was opened to see whether it reads shared.data or ')
    expect(ended.stderr).toContain('hint: Fix it, or move it out of the folder.')
    expect(ended.exitCode).toBe(1)
  })
})

describe('looking', () => {
  it('leaves an interrupted change to the next rewrite, and says that there is one', async () => {
    await writeDecoders(folder, 'inside')
    await writeFile(at('w.data.partial'), 'decided')
    await writeFile(at(JOURNAL), JSON.stringify({ names: ['w.data'], removes: [], patches: {} }))
    const before = await readdir(folder)
    for (const args of [
      ['inspect', at('a.onnx')],
      ['diff', at('a.onnx'), at('a.onnx')],
    ]) {
      const ended = await graph(...args)
      expect(ended.stderr).toBe(
        `note: A change of ${folder} was interrupted; the next command that rewrites there finishes it.`,
      )
      expect(ended.exitCode).toBe(0)
    }
    const verified = await graph('verify', folder)
    expect(verified.stdout).toContain('A change of this folder was interrupted')
    expect(verified.exitCode).toBe(3)
    expect(await readdir(folder)).toEqual(before)
    expect((await graph('strip-traces', at('a.onnx'))).exitCode).toBe(0)
    expect(await readFile(at('w.data'), 'utf8')).toBe('decided')
    expect(existsSync(at(JOURNAL))).toBe(false)
  })

  it('inspect says what several graphs share, and shows a malformed offset as it is', async () => {
    await writeDecoders(folder, 'inside')
    await graph('share', at('a.onnx'), at('b.onnx'), '--data', 'w.data')
    const { stdout } = await graph('inspect', at('a.onnx'), at('b.onnx'))
    expect(stdout).toContain('shared in w.data: 3 ranges, 5.06 kB, by a.onnx, b.onnx')
    const events = eventsOf((await graph('inspect', at('a.onnx'), at('b.onnx'), '--json')).stdout)
    expect(events.map(({ event }) => event)).toEqual(['report', 'report', 'report', 'done'])
    expect(events.at(-2)).toEqual({
      event: 'report',
      shared: [{ location: 'w.data', graphs: ['a.onnx', 'b.onnx'], ranges: 3, bytes: 5056 }],
    })
    const entries = { location: 'w.data', offset: '-1', length: 'many' }
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }))
    const initializer = [{ name: 't', dims: [4], dataType: 1, dataLocation: 1, externalData }]
    await writeModel(folder, 'odd.onnx', { name: 'g', initializer })
    const [odd] = eventsOf((await graph('inspect', at('odd.onnx'), '--json')).stdout)
    expect(odd.external[0].ranges).toEqual([{ offset: '-1', length: 'many', names: ['t'] }])
  })

  it('verify needs a folder', async () => {
    await writeDecoders(folder, 'inside')
    const file = await graph('verify', at('a.onnx'))
    expect(file.stderr).toBe(`error: ${at('a.onnx')} is a file, wanted a folder.`)
    const none = await graph('verify', at('nope'))
    expect(none.stderr).toBe(`error: There is no folder ${at('nope')}.`)
    expect([file.exitCode, none.exitCode]).toEqual([1, 1])
  })
})

describe('embed-fp16', () => {
  it('changes nothing of config.json but the two keys, and is done once', async () => {
    await writeDecoders(folder, 'outside')
    const config =
      '{\r\n\t"big": 12345678901234567890, "rope_theta": 1000000.0,\r\n\t"embed_tokens_shape": null}\r\n'
    await writeFile(at('config.json'), config)
    const first = await graph('embed-fp16', at('b.onnx'), at('a.onnx'))
    expect(first.stdout.split('\n')[0]).toBe(
      'table [16, 4]: FP16 in embed_tokens.bin, read by a.onnx, b.onnx',
    )
    expect(await readFile(at('config.json'), 'utf8')).toBe(
      '{\r\n\t"big": 12345678901234567890, "rope_theta": 1000000.0,\r\n\t"embed_tokens_shape": [16, 4],\r\n\t"embed_tokens_dtype": "float16"}\r\n',
    )
    const after = await filesOf(folder)
    const again = await graph('embed-fp16', at('b.onnx'), at('a.onnx'))
    expect([again.stdout, again.exitCode]).toEqual(['nothing to change', 0])
    expect(await filesOf(folder)).toEqual(after)
  })

  it.each([
    ['[1]', 'is not a JSON object.'],
    ['{', 'is not valid JSON: '],
    ['\u00ff', 'is not UTF-8 text.'],
  ])('refuses a config.json of %j before anything changes', async (text, message) => {
    await writeDecoders(folder, 'outside')
    await writeFile(at('config.json'), Buffer.from(text, 'latin1'))
    const before = await filesOf(folder)
    const ended = await graph('embed-fp16', at('a.onnx'), at('b.onnx'))
    expect(ended.stderr).toContain(`error: ${at('config.json')} ${message}`)
    expect([ended.stdout, ended.exitCode]).toEqual(['', 1])
    expect(await filesOf(folder)).toEqual(before)
  })

  it('says so where there is no config.json', async () => {
    await writeDecoders(folder, 'inside')
    await execa('rm', [at('config.json')])
    const ended = await graph('embed-fp16', at('a.onnx'), at('b.onnx'))
    expect(ended.stdout).toContain(
      'There is no config.json: without its embed_tokens_dtype readers take the table for float32.',
    )
  })
})

describe('tie', () => {
  it('refuses heads of unlike kinds by name, before anything is written', async () => {
    await writeDecoders(folder, 'inside')
    await writeFile(
      at('gemm.onnx'),
      encodeModel({
        name: 'g',
        initializer: [floatTensor('head', new Array(600).fill(1), [150, 4])],
        node: [{ opType: 'Gemm', input: ['x', 'head'], output: ['logits'] }],
      }),
    )
    const before = await filesOf(folder)
    const ended = await graph('tie', at('a.onnx'), at('gemm.onnx'), '--data', 'w.data')
    expect(ended.stderr).toContain(
      'error: The graphs have lm_heads of unlike kinds: a.onnx (MatMul float32 [4, 150]); gemm.onnx (Gemm float32 [150, 4]).',
    )
    expect([ended.stdout, ended.exitCode]).toEqual(['', 1])
    expect(await filesOf(folder)).toEqual(before)
  })
})

describe('the folder while a command runs', () => {
  /** A graph whose weights take a while to write. */
  async function writeHeavy(name: string): Promise<void> {
    const zeros = Buffer.alloc(1 << 20)
    const initializer = Array.from({ length: 4 }, (_, i) => ({
      name: `w${i}`,
      dims: [64 << 20],
      dataType: 2,
      dataLocation: 1,
      externalData: Object.entries({ location: `${name}.raw`, offset: String(i * (64 << 20)) }).map(
        ([key, value]) => ({ key, value }),
      ),
    }))
    for (let i = 0; i < 256; i++) {
      zeros[0] = i // every tensor is another one
      await appendFile(at(`${name}.raw`), zeros)
    }
    await writeModel(folder, name, { name: 'g', initializer })
  }

  it('Ctrl-C removes what is half written and ends with 130; nobody else writes meanwhile', async () => {
    await writeHeavy('heavy.onnx')
    await chmod(at('heavy.onnx'), 0o640)
    const before = await filesOf(folder)
    const running = graph('share', at('heavy.onnx'), '--data', 'w.data')
    while (!existsSync(at('w.data.partial'))) await sleep(5)
    const other = graph('share', at('heavy.onnx'), '--data', 'other.data')
    running.kill('SIGINT')
    const ended = await running
    expect(ended.stderr).toContain('error: Stopped.\nhint: Nothing is half done; run the same command again')
    expect(ended.exitCode).toBe(130)
    await other // either found the lock, or came after it
    if ((await other).exitCode === 1) {
      expect((await other).stderr).toMatch(
        /Another run \(process \d+\) is working on .*\nhint: Wait for it to end\./,
      )
      expect(await filesOf(folder)).toEqual(before)
    }
    expect(
      (await readdir(folder)).filter((name) => name.includes('partial') || name.includes('lock')),
    ).toEqual([])
  })

  it('two commands at once: one works, the other ends with a message to wait', async () => {
    await writeHeavy('heavy.onnx')
    const running = graph('share', at('heavy.onnx'), '--data', 'w.data')
    while (!existsSync(at('.graph-tools-lock'))) await sleep(2)
    const other = await graph('share', at('heavy.onnx'), '--data', 'w.data')
    const first = await running
    expect(first.exitCode, first.stderr).toBe(0)
    if (other.exitCode !== 0) expect(other.stderr).toMatch(/Another run \(process \d+\) is working on/)
    expect((await readdir(folder)).sort()).toEqual(['heavy.onnx', 'w.data'])
    expect((await stat(at('w.data'))).size).toBe(256 << 20)
  })

  it('a link to another file is not written through', async () => {
    const blobs = await temporaryFolder()
    const model = await writeModel(blobs, 'sha', { name: 'g', node: [reshape('r', 'given', 1)] })
    const before = await readFile(model.path ?? '')
    await symlink(model.path ?? '', at('m.onnx'))
    const ended = await graph('strip-allowzero', at('m.onnx'), '--assume-nonzero')
    expect(ended.stderr).toBe(
      `error: ${at('m.onnx')} is a link, wanted a file.\nhint: Nothing is written through links: put a copy in its place.`,
    )
    expect(await readFile(model.path ?? '')).toEqual(before)
    expect(await readdir(folder)).toEqual([basename(at('m.onnx'))])
  })
})
