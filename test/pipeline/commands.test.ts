// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { COMMANDS } from '../../pipeline/commands/commands.ts'
import {
  type Command,
  type CommonOptions,
  type Host,
  type RunCommand,
  runnable,
} from '../../pipeline/commands/run-command.ts'
import { EXIT, Failure } from '../../pipeline/shared/failure.ts'
import { eventsOf } from '../helpers/events.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

/** What a command prints in this process. */
async function inProcess(run: RunCommand, args: readonly string[], host?: Host) {
  const [out, err]: [string[], string[]] = [[], []]
  const taken = (into: string[]) => (text: string | Uint8Array) => into.push(String(text)) > 0
  vi.spyOn(process.stdout, 'write').mockImplementation(taken(out))
  vi.spyOn(process.stderr, 'write').mockImplementation(taken(err))
  const exitCode = await run(args, host)
  vi.restoreAllMocks()
  return { exitCode, stdout: out.join(''), stderr: err.join('') }
}

const bench = (name: string) => ({
  command: `npm run bench -- ${name}`,
  load: () => import(`../../scripts/bench${name === 'graph' ? '' : `-${name}`}.ts`),
})
const command = (name: string) => ({
  command: `npm run ${name} --`,
  load: COMMANDS[name]?.load ?? Promise.reject,
})

/** Every command with arguments that it takes, an option with one value, and where it says what is wrong. */
const ALL: [
  string,
  { command: string; load(): Promise<{ run: RunCommand }> },
  string[],
  string,
  'stdout' | 'stderr',
][] = [
  ['pipeline', command('pipeline'), ['--model', 'tiny'], 'name', 'stdout'],
  ['evaluate', command('evaluate'), ['--models', 'a:b', '--datasets', 'c'], 'shard', 'stderr'],
  ['transcribe', command('transcribe'), ['a.wav'], 'rate', 'stderr'],
  ['align', command('align'), ['a.wav', 'text'], 'variant', 'stderr'],
  ['package', command('package'), ['folder'], 'level', 'stdout'],
  ['publish', command('publish'), ['--repo', 'a/b'], 'tag', 'stdout'],
  ['compare', command('compare'), ['--audio', 'a.wav', '--model-dir', 'b'], 'python', 'stderr'],
  ['quantize', command('quantize'), ['trial', 'a.json'], 'speech', 'stderr'],
  ['page', command('page'), ['folder'], 'release', 'stderr'],
  ['graph', command('graph'), ['externalize', 'a.onnx'], 'data', 'stderr'],
  ['bench graph', bench('graph'), ['--exported', '.'], 'rounds', 'stderr'],
  ['bench eval', bench('eval'), [], 'rounds', 'stderr'],
  ['bench decode', bench('decode'), [], 'rounds', 'stderr'],
  ['bench package', bench('package'), ['--model-dir', '.'], 'rounds', 'stderr'],
  ['bench publish', bench('publish'), ['--model-dir', '.'], 'rounds', 'stderr'],
]

describe.each(ALL)('%s', (_, { command, load }, valid, option, sentences) => {
  const ended = async (...args: readonly string[]) => inProcess((await load()).run, args)

  it.each([
    [['--wat'], 'Unknown argument: wat'],
    [[`--${option}`, '1', `--${option}`, '2'], `--${option} is given 2 times, wanted once.`],
  ])('%j is wrong usage', async (args, message) => {
    const said = await ended(...valid, ...args)
    const hint = `${command} --help lists the options.`
    expect(said[sentences]).toBe(`error: ${message}\nhint: ${hint}\n`)
    expect(sentences === 'stdout' ? said.stderr : said.stdout).toBe('')
    expect(said.exitCode).toBe(2)
    const { stdout, stderr, exitCode } = await ended(...valid, ...args, '--json=true', '--wat')
    const [failure, ...others] = eventsOf(stdout)
    expect(failure).toEqual({ event: 'failure', message: expect.any(String), hint, exitCode: 2 })
    expect({ others, stderr, exitCode }).toEqual({ others: [], stderr: '', exitCode: 2 })
  })

  it('--help fits into a terminal of 60 columns', async () => {
    const terminal = { isTTY: process.stdout.isTTY, columns: process.stdout.columns }
    Object.assign(process.stdout, { isTTY: true, columns: 60 })
    const { stdout } = await ended('--help').finally(() => Object.assign(process.stdout, terminal))
    expect(stdout.split('\n').filter((text) => text.length > 60)).toEqual([])
    expect(stdout).toContain('--version')
  })

  it('--help has the same parts, --version is that of the project', async () => {
    const { stdout, stderr, exitCode } = await ended('--help')
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    const parts = stdout.trimEnd().split('\n\n')
    expect(parts[0]?.startsWith(`${command} `)).toBe(true)
    expect(parts[1]).toMatch(/^[A-Z].*\.$/s)
    const [options, rest] = [parts.findIndex((part) => part.startsWith('Options:\n')), parts.at(-1)]
    expect(parts[options]).toMatch(/ --help .* --json .* --debug .* --version /s)
    expect(rest).toMatch(/^Exit codes: 0 done.*, 1 failed.*, 2 wrong usage, .*130 interrupted\.$/ms)
    for (const part of parts.slice(2))
      expect(part).toMatch(/^(Commands|Positionals|Options|Examples|Exit codes):/)
    expect(stdout.split('\n').filter((line) => line.length > 110)).toEqual([])
    const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
    expect(await ended('--version')).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('shows no secret of a command line', async () => {
    vi.stubEnv('HF_TOKEN', 'selfhosted12')
    const { stdout, stderr } = await ended(...valid, '--selfhosted12', '--debug')
    expect(stdout + stderr).toContain('error: Unknown argument: ...\n')
    expect(stderr).toMatch(/^ {6}at /m) // the stack of --debug
    expect(stdout + stderr).not.toContain('selfhosted12')
    expect((await ended(...valid, '--selfhosted12', '--json')).stdout).toContain('"Unknown argument: ..."')
  })
})

describe('values of options', () => {
  it.each([
    ['pipeline', ['--model', 'tiny', '--opset', 'x'], '--opset is not a number, wanted 18 to 23.'],
    ['pipeline', ['--model='], '--model is empty.'],
    ['evaluate', ['--models', '', '--datasets', 'c'], '--models is empty.'],
    [
      'evaluate',
      ['--datasets', 'c', '--engine-timeout', '0'],
      '--engine-timeout is 0, wanted seconds above 0.',
    ],
    ['evaluate', ['merge', 'a', '--output', 'b', '--output', 'c'], '--output is given 2 times, wanted once.'],
    ['transcribe', ['a.wav', '--threads', '1.5'], '--threads is 1.5, wanted a whole number above 0.'],
    ['package', ['--level', 'x'], '--level is not a number, wanted 1 to 9.'],
    ['package', ['verify', 'x', '--threads', '0'], '--threads is 0, wanted a whole number above 0.'],
    [
      'compare',
      ['--audio', 'a', '--model-dir', 'b', '--max-new-tokens', '-3'],
      '--max-new-tokens is -3, wanted a whole number above 0.',
    ],
    [
      'graph',
      ['externalize', 'a.onnx', '--threshold', '1k'],
      '--threshold is "1k", wanted a number of bytes.',
    ],
    ['graph', ['share', 'a.onnx', '--data', ''], '--data is empty.'],
    ['graph', ['tie', 'a.onnx', '--data', 'x', '--data', 'y'], '--data is given 2 times, wanted once.'],
    ['quantize', [], 'Found no command, wanted list, trial, scan or compare.'],
    ['quantize', ['foo'], 'There is no command foo, wanted list, trial, scan or compare.'],
    [
      'quantize',
      ['tril', 'a.json', '--wer'],
      'There is no command tril, wanted list, trial, scan or compare.',
    ],
    ['quantize', ['trial'], 'Found no recipe, wanted at least one RECIPE.json.'],
    ['quantize', ['trial', '--foo'], 'Unknown argument: foo'],
    ['quantize', ['trial', 'a.json', '--n-samples', '0'], '--n-samples is 0, wanted a whole number above 0.'],
    ['quantize', ['trial', 'a.json', '--speech='], '--speech is empty.'],
    ['quantize', ['list', 'a.json'], 'Unknown argument: a.json'],
    ['quantize', ['compare', '--low', 'q4b64'], 'Unknown argument: low'],
    ['quantize', ['list', '--model-dri', '.'], 'Unknown argument: model-dri; did you mean --model-dir?'],
    ['transcribe', ['a.wav', '--varaint=int4'], 'Unknown argument: varaint; did you mean --variant?'],
    ['pipeline', ['--modle', 'tiny'], 'Missing required argument: model; did you mean it by --modle?'],
    [
      'evaluate',
      ['--datasets', 'a', '--modles', 'b', '--jsno'],
      'Unknown arguments: modles, jsno; did you mean --models and --json?',
    ],
    [
      'quantize',
      ['scan', '--method', 'all'],
      'Invalid values:\n  Argument: method, Given: "all", Choices: "scan", "gradient"',
    ],
  ])('%s %j', async (name, args, message) => {
    const { run } = await command(name).load()
    const [failure] = eventsOf((await inProcess(run, [...args, '--json'])).stdout)
    expect(failure).toMatchObject({ event: 'failure', message, exitCode: 2 })
    expect(failure.hint).not.toBe('')
  })

  it.each([
    ['compare', [], 'For example: npm run compare -- --audio clip.wav --model-dir output/qwen3-asr-0.6b'],
    ['graph', ['share', 'a.onnx'], 'For example: npm run graph -- share decoder_init.onnx'],
    ['pipeline', ['--modle', 'tiny'], undefined],
    ['quantize', ['trial'], undefined],
  ])('%s %j names a command line that has what is missing', async (name, args, example) => {
    const { run } = await command(name).load()
    const [failure] = eventsOf((await inProcess(run, [...args, '--json'])).stdout)
    const { hint } = failure as { hint: string }
    expect(hint).toContain('--help lists the')
    if (example === undefined) expect(hint).not.toContain('For example')
    else expect(hint).toContain(example)
  })

  it('a language is checked alike', async () => {
    for (const [name, ...args] of [
      ['pipeline', '--model', 'tiny'],
      ['evaluate', '--models', 'a:b', '--datasets', 'c'],
      ['transcribe', 'a.wav'],
      ['align', 'a.wav', 'text'],
    ] as const) {
      const { run } = await command(name).load()
      const { stdout } = await inProcess(run, [...args, '--language', 'Klingon', '--json'])
      expect(eventsOf(stdout)[0]).toMatchObject({
        message: '"Klingon" is not a language of Qwen3-ASR.',
        hint: expect.stringMatching(/^One of: Arabic, /),
        exitCode: 2,
      })
    }
  })
})

describe('the runner', () => {
  const options = (args: readonly string[]): CommonOptions => ({
    json: args.includes('--json'),
    debug: false,
  })
  const fake = (more: Partial<Command<CommonOptions>>) =>
    runnable({
      parse: async (args) => options(args),
      stdout: 'results',
      run: async (_, { report, note }) => {
        note('on the way')
        report({ found: 'https://me:s3cret@h.test/a?q=1' }, () => ['found https://me:s3cret@h.test/a?q=1'])
        return EXIT.done
      },
      ...more,
    })

  it('prints results on stdout and sentences on stderr, or events alone', async () => {
    expect(await inProcess(fake({}), [])).toEqual({
      ...{ exitCode: 0, stdout: 'found https://...@h.test/a\n', stderr: 'on the way\n' },
    })
    const told = await inProcess(fake({ isJsonChanged: true }), ['--json'])
    expect(eventsOf(told.stdout)).toEqual([
      { event: 'note', text: 'on the way' },
      { event: 'report', found: 'https://...@h.test/a?q=1' },
      { event: 'done', seconds: expect.any(Number) },
    ])
    expect(told.stderr).toBe(
      'note: --json prints one event a line: what was found has "event":"report", and the last line is "done" or "failure".\n',
    )
  })

  it('reports a failure that is returned with --json alone, and one that is thrown always', async () => {
    const failure = new Failure('They differ.', 'Look.', EXIT.gate)
    const returned = fake({ run: async () => failure })
    expect(await inProcess(returned, [])).toEqual({ exitCode: 3, stdout: '', stderr: '' })
    const event = { event: 'failure', message: 'They differ.', hint: 'Look.', exitCode: 3 }
    expect(eventsOf((await inProcess(returned, ['--json'])).stdout)).toEqual([event])
    const thrown = fake({ run: () => Promise.reject(failure) })
    expect((await inProcess(thrown, [])).stderr).toBe('error: They differ.\nhint: Look.\n')
    expect(eventsOf((await inProcess(thrown, ['--json'])).stdout)).toEqual([event])
  })

  it('stops on Ctrl-C with what to do next, where a command can be stopped', async () => {
    const waits = (_: CommonOptions, __: unknown, signal: AbortSignal) =>
      new Promise<number>((resolve, reject) => {
        if (signal.aborted) reject(signal.reason)
        else resolve(EXIT.done)
      })
    const host: Host = {
      reader: new AbortController().signal,
      interruption: (hint) => AbortSignal.abort(new Failure('Stopped.', hint, EXIT.interrupted)),
      onUncaught: () => {},
    }
    expect(await inProcess(fake({ run: waits, afterStop: 'Run it again.' }), [], host)).toEqual({
      ...{ exitCode: 130, stdout: '', stderr: 'error: Stopped.\nhint: Run it again.\n' },
    })
    expect((await inProcess(fake({ run: waits, isStoppable: () => false }), [], host)).exitCode).toBe(0)
  })

  it('ends with its reader only where nothing is left to do', async () => {
    const host: Host = {
      reader: AbortSignal.abort(new Error('EPIPE')),
      interruption: () => new AbortController().signal,
      onUncaught: () => {},
    }
    const run = async (_: CommonOptions, __: unknown, signal: AbortSignal) => {
      signal.throwIfAborted()
      return new Failure('The work went on.')
    }
    expect(await inProcess(fake({ run, endsWithReader: true }), [], host)).toMatchObject({
      exitCode: 0,
      stderr: '',
    })
    expect((await inProcess(fake({ run }), [], host)).exitCode).toBe(1)
  })
})

describe('one place', () => {
  it('ends the process or sets its exit code', async () => {
    const sources = async (folder: string) => {
      const names = await readdir(join(PROJECT, folder), { recursive: true })
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))
    }
    const files = [...(await sources('pipeline')), ...(await sources('scripts'))]
    const ending = await Promise.all(
      files.map(async (file) =>
        /process\.(exit\b|exitCode\b|abort\b|reallyExit\b)/.test(await readFile(join(PROJECT, file), 'utf8'))
          ? [file]
          : [],
      ),
    )
    expect(ending.flat()).toEqual(['pipeline/commands/command-process.ts'])
  })

  it('has a file of its own for every command of package.json', async () => {
    const { scripts } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
    const named = Object.values<string>(scripts).flatMap(
      (line) => /pipeline\/main\.ts (\w+)/.exec(line)?.[1] ?? [],
    )
    expect(new Set(named)).toEqual(new Set(Object.keys(COMMANDS)))
    for (const { load } of Object.values(COMMANDS)) expect((await load()).run).toBeTypeOf('function')
  })
})
