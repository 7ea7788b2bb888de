// SPDX-License-Identifier: Apache-2.0

import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { openModel } from '../../graph-tools/model.ts'
import { TINY } from '../helpers/checkpoint.ts'
import { builtCommand } from '../helpers/commands.ts'
import { eventsOf } from '../helpers/events.ts'
import { writeModel } from '../helpers/graph-files.ts'
import { reshape } from '../helpers/onnx.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const DECODERS = ['decoder_init.onnx', 'decoder_step.onnx', 'decoder.onnx']
/** Outputs of the tiny model's graphs. */
const OUTPUTS: Readonly<Record<string, number>> = {
  ...{ 'encoder.onnx': 1, 'decoder_init.onnx': 3, 'decoder_step.onnx': 3 },
  'decoder.onnx': 1 + 2 * 3,
}

let root = ''
let exported = ''

/** The command line of `npm run graph --`. */
function graph(...args: string[]) {
  return execa(process.execPath, [...builtCommand('graph'), ...args], {
    reject: false,
  })
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-graph-'))
  exported = join(await sharedReleases(), TINY_NAME, '.work', 'export')
})

afterAll(() => rm(root, { recursive: true, force: true }))

describe('rewrites of the tiny model', () => {
  it('each gives the same outputs bit for bit, as an independent reader finds', async () => {
    const pairs: [string, string][] = []
    let folder = exported
    /** Run one command on a copy of the last result; files are compared with the same file before it. */
    const step = async (name: string, files: readonly string[], ...args: string[]) => {
      const copy = join(root, name)
      await cp(folder, copy, { recursive: true })
      const [command = '', ...options] = args
      const ended = await graph(command, ...files.map((file) => join(copy, file)), ...options)
      expect(ended.exitCode, ended.stderr).toBe(0)
      for (const file of files) pairs.push([join(folder, file), join(copy, file)])
      folder = copy
      return ended.stdout
    }
    const all = ['encoder.onnx', ...DECODERS]
    expect(await step('1', all, 'strip-allowzero')).toContain(
      'encoder.onnx: allowzero removed from 20 Reshape nodes',
    )
    expect(await step('2', all, 'strip-traces')).toMatch(
      /decoder_init\.onnx: \d+ traces removed, 1\d\d kB -> \d\d\.\d kB/,
    )
    expect(await step('3', all, 'inline')).toContain('removed: encoder.data')
    await step('4', ['encoder.onnx'], 'externalize', '--data', 'encoder.data')
    await step('5', ['decoder_init.onnx'], 'externalize', '--data', 'init.data', '--threshold', '300')
    await step('6', ['decoder_step.onnx'], 'externalize', '--data', 'step.data', '--threshold', '300')
    await step('6b', ['decoder.onnx'], 'externalize', '--data', 'fused.data', '--threshold', '300')
    expect(await step('7', DECODERS, 'tie')).toContain('one MatMul lm_head (')
    const shared = await step('8', DECODERS, 'share', '--data', 'shared.data')
    expect(shared).toContain('removed: fused.data, init.data, step.data')
    await step('9', DECODERS, 'rename-data', '--to', 'decoder_weights.data')
    await writeFile(join(folder, 'config.json'), '{"model_type":"qwen3_asr","extra":1}')
    const halved = await step('10', DECODERS, 'embed-fp16')
    expect(halved).toContain('embed_tokens [448, 128]: FP16 in embed_tokens.bin, read by decoder_init.onnx')
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toEqual({
      model_type: 'qwen3_asr',
      extra: 1,
      embed_tokens_dtype: 'float16',
      embed_tokens_shape: [448, 128],
    })
    await step('11', ['encoder.onnx'], 'inline')
    await graph('alias', join(folder, 'encoder.onnx'), join(folder, 'encoder.int4.onnx'))
    const inode = async (name: string) => (await stat(join(folder, name))).ino
    expect(await inode('encoder.int4.onnx')).toBe(await inode('encoder.onnx'))

    await writeFile(join(root, 'pairs.json'), JSON.stringify(pairs))
    const python = await stagePython()
    const { stdout } = await execa(python, [
      join(PROJECT, 'test', 'helpers', 'check_onnx.py'),
      join(root, 'pairs.json'),
    ])
    const outputs = pairs.reduce((sum, [path]) => sum + (OUTPUTS[basename(path)] ?? Number.NaN), 0)
    expect(JSON.parse(stdout)).toEqual({ graphs: pairs.length, outputs })

    const verified = await graph('verify', relative(process.cwd(), folder))
    expect(verified.stdout).toMatch(
      /all well \(5 graphs, 2 data files, \d+ tensors, 5 loaded by onnxruntime-node\)/,
    )
    expect(verified.exitCode).toBe(0)
    const names = (await readdir(folder)).filter((name) => /\.(onnx|data|bin)$/.test(name))
    expect(names.sort()).toEqual(
      [...DECODERS, 'decoder_weights.data', 'embed_tokens.bin', 'encoder.int4.onnx', 'encoder.onnx'].sort(),
    )
  })

  it('verify finds what onnxruntime refuses', async () => {
    const folder = join(root, 'refused')
    await cp(exported, folder, { recursive: true })
    await writeModel(folder, 'odd.onnx', { name: 'g', node: [{ opType: 'NoSuchOperator', output: ['y'] }] })
    const ended = await graph('verify', folder, '--json')
    expect(ended.exitCode).toBe(3)
    const [{ problems, loaded }, failure] = eventsOf(ended.stdout)
    expect(failure).toMatchObject({ event: 'failure', message: `${folder} is not right.`, exitCode: 3 })
    expect(problems.length).toBe(1)
    expect(problems[0]).toContain(`onnxruntime does not load ${join(folder, 'odd.onnx')}`)
    expect(loaded).toBe(4)
  })
})

describe('looking at graphs', () => {
  it('inspect shows opsets, inputs and outputs, operators, weights and ranges', async () => {
    const path = join(exported, 'decoder_step.onnx')
    const { stdout, exitCode } = await graph('inspect', path)
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^decoder_step\.onnx: 1\d\d kB, IR 10, .*ai\.onnx 18/)
    expect(stdout).toMatch(/in +past_keys +float32 +\[3, 1, 2, P, 32\]/)
    expect(stdout).toMatch(/out +logits +float32 +\[1, 1, 448\]/)
    expect(stdout).toMatch(/MatMul +34/)
    expect(stdout).toMatch(/com\.microsoft\.SkipSimplifiedLayerNormalization +6/)
    expect(stdout).toMatch(/decoder\.data: \d+ tensors, 2\.\d+ MB in \d+ ranges, 0 shared/)
    const [json] = eventsOf((await graph('inspect', path, '--json')).stdout)
    expect(json).toMatchObject({ irVersion: 10, opsets: { 'ai.onnx': 18 }, operators: { MatMul: 34 } })
    expect(json.external[0].ranges[0]).toEqual({
      offset: expect.any(Number),
      length: expect.any(Number),
      names: [expect.any(String)],
    })
  })

  it('diff compares structure and weights by content, wherever they are stored', async () => {
    const folder = join(root, 'diff')
    await cp(exported, folder, { recursive: true })
    const [a, b] = [join(exported, 'decoder_step.onnx'), join(folder, 'decoder_step.onnx')]
    await graph('share', b, join(folder, 'decoder_init.onnx'), '--data', 'elsewhere.data')
    const same = await graph('diff', a, b)
    expect(same.stdout).toMatch(/^No difference: 171 nodes and \d+ weights are the same\.$/)
    expect(same.exitCode).toBe(0)

    await graph('strip-traces', b)
    await graph('strip-allowzero', b)
    const data = join(folder, 'elsewhere.data')
    const bytes = await readFile(data)
    const model = openModel(b)
    const changed = model.tensors.find(({ location }) => location !== undefined)
    bytes.writeFloatLE(1234.5, Number(changed?.external.get('offset')))
    await writeFile(data, bytes)
    const other = await graph('diff', a, b)
    expect(other.exitCode).toBe(1)
    expect(other.stdout).toMatch(/~ Reshape .*: without allowzero/)
    expect(other.stdout).toContain(`~ ${changed?.name}: other values`)
    expect(other.stdout).toMatch(/pkg\.torch\.onnx\.stack_trace entries: \d+ -> 0/)
    const [found, failure] = eventsOf((await graph('diff', a, b, '--json')).stdout)
    expect(found.weights).toEqual([`~ ${changed?.name}: other values`])
    expect(failure).toEqual({ event: 'failure', message: `${a} and ${b} differ.`, hint: '', exitCode: 1 })
  })
})

describe('wrong usage and bad files', () => {
  it.each([
    [[], 'error: Which command?', 2],
    [['nonsense'], 'error: There is no command nonsense.', 2],
    [['shar', 'a.onnx'], 'error: There is no command shar; did you mean share?', 2],
    [['inspect'], 'error: Not enough non-option arguments: got 0, need at least 1', 2],
    [['inspect', '/nowhere.onnx'], 'error: There is no file /nowhere.onnx.', 1],
    [['inspect', '/'], 'error: / is a folder, wanted a file.', 1],
    [['inspect', join(TINY, 'config.json')], `error: ${join(TINY, 'config.json')} is not an ONNX model`, 1],
    [['share', 'a.onnx'], 'error: Missing required argument: data', 2],
  ])('%j', async (args, message, exitCode) => {
    const ended = await graph(...args)
    expect(ended.stderr).toContain(message)
    expect(ended.stdout).toBe('')
    expect(ended.exitCode).toBe(exitCode)
  })

  it('verify says of a folder without graphs that it has none', async () => {
    const ended = await graph('verify', TINY)
    expect(ended.stdout).toContain(`${TINY} holds no ONNX file.`)
    expect(ended.exitCode).toBe(3)
  })

  it('strip-allowzero names what it cannot prove, and ends with 3', async () => {
    const folder = join(root, 'unproved')
    await cp(join(TINY, 'config.json'), join(folder, 'config.json'))
    const model = await writeModel(folder, 'm.onnx', { name: 'g', node: [reshape('computed', 'given', 1)] })
    const ended = await graph('strip-allowzero', model.path ?? '')
    expect(ended.stdout).toBe(
      'm.onnx: allowzero removed from 0 Reshape nodes\n' +
        '  left at 1 whose shape may hold a 0: computed\n' +
        'hint: --assume-nonzero strips them too; a shape with a 0 would then mean something else.',
    )
    expect(ended.exitCode).toBe(3)
    const forced = await graph('strip-allowzero', model.path ?? '', '--assume-nonzero')
    expect(forced.stdout).toBe('m.onnx: allowzero removed from 1 Reshape nodes')
    expect(forced.exitCode).toBe(0)
  })

  it('--help shows every command and examples', async () => {
    const { stdout, exitCode } = await graph('--help')
    expect(exitCode).toBe(0)
    for (const command of [
      'inspect',
      'diff',
      'verify',
      'strip-allowzero',
      'externalize',
      'inline',
      'share',
      'tie',
      'embed-fp16',
      'strip-traces',
      'alias',
      'rename-data',
    ]) {
      expect(stdout).toContain(`npm run graph -- ${command} `)
    }
    expect(stdout).toContain(
      'Exit codes: 0 done, 1 failed (diff: they differ), 2 wrong usage, 3 a check failed, 130 interrupted.',
    )
  })
})
