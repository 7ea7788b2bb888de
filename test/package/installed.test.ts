// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { emptyProject, npmInstall, packProject } from '../helpers/packed.ts'
import { sharedReleases } from '../helpers/prepared.ts'

/* The package as others get it: packed from a copy, installed in empty projects, run by each Node that is supported. */

const NAME = 'qwen3-asr-onnx'
/** Besides the one that runs the tests; npm has them as packages. */
const OTHER_NODES = ['22.23.5', '24.22.3']
/** Only some commands need them. */
const PEERS = ['@huggingface/hub', '@observablehq/plot', 'hyparquet', 'linkedom', 'onnxruntime-web', 'undici']
const CLIP = join(BUNDLED_SPEECH, 'held-out-056.flac')
const TEXT = 'Null eins vier drei.'
/** onnxruntime-node's install script uses this proxy; nothing listens there. */
const NO_NETWORK = {
  GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:9',
  GLOBAL_AGENT_HTTP_PROXY: 'http://127.0.0.1:9',
}

let folder = ''
let tarball = ''
let project = ''
let release = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-package-'))
  tarball = await packProject(folder)
  project = await emptyProject(join(folder, 'project'))
  await npmInstall(project, ['--ignore-scripts', tarball])
  release = join(await sharedReleases(), 'qwen3-asr-tiny')
  return () => rm(folder, { recursive: true, force: true })
})

function run(args: readonly string[], cwd = project) {
  return execa('npx', ['--no-install', NAME, ...args], { cwd, reject: false, env: { COLUMNS: '100' } })
}

async function manifestOf(name: string, from = project): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(from, 'node_modules', name, 'package.json'), 'utf8'))
}

describe('the tarball', () => {
  it('has the code as JavaScript with types, what the pipeline needs, and no tests', async () => {
    const { stdout } = await execa('tar', ['-tzf', tarball])
    const files = stdout.split('\n').map((line) => line.replace(/^package\//, ''))
    expect(files).toEqual(
      expect.arrayContaining([
        ...[
          'package.json',
          'README.md',
          'LICENSE',
          'CHANGELOG.md',
          'dist/build.json',
          'dist/pipeline/main.js',
        ],
        ...[
          'dist/eval/runtime/qwen3-asr.js',
          'dist/eval/runtime/qwen3-asr.d.ts',
          'dist/eval/runtime/worker-start.js',
        ],
        ...[
          'dist/eval/report/page.css',
          'dist/eval/page/index.html',
          'dist/page/page.js',
          'dist/page/licenses.txt',
        ],
        ...['python/requirements.txt', 'python/export/export.py', 'python/quantize/quantize.py'],
      ]),
    )
    expect(files.filter((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file))).toEqual([])
    expect(
      files.filter((file) =>
        /\.test\.|^test\/(?!fixtures\/)|^scripts\/|^python\/(?:bench|tiny)\//.test(file),
      ),
    ).toEqual([])
  })

  it('names the repository and the commit', async () => {
    expect(await manifestOf(NAME)).toMatchObject({
      repository: { type: 'git', url: 'git+https://github.com/someone/qwen3-asr-onnx.git' },
    })
    const built = await readFile(join(project, 'node_modules', NAME, 'dist', 'build.json'), 'utf8')
    expect(JSON.parse(built)).toMatchObject({
      ...{ name: NAME, repository: 'https://github.com/someone/qwen3-asr-onnx', dirty: false },
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    })
  })
})

describe('installed for transcribing alone', () => {
  it('leaves out what only other commands need', async () => {
    for (const name of PEERS) await expect(manifestOf(name), name).rejects.toThrow('ENOENT')
    expect(await manifestOf('onnxruntime-node')).toHaveProperty('version')
  })

  it('transcribes, lists its commands, and says what is not one', async () => {
    expect(await run(['transcribe', CLIP, '--model-dir', release])).toMatchObject({
      exitCode: 0,
      stdout: TEXT,
    })
    expect((await run(['graph', 'verify', release])).exitCode).toBe(0)
    const help = await run([])
    expect(help.stdout).toContain(`npx ${NAME} COMMAND [options]`)
    expect(help.stdout).toContain('transcribe  write down what is said in recordings')
    expect((await run(['--version'])).stdout).toBe((await manifestOf(NAME))['version'])
    expect(await run(['transcibe'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('There is no command transcibe; did you mean transcribe?'),
    })
    expect((await run(['package', '--help'])).stdout).toContain(`npx ${NAME} package [`)
    const nothing = await run(['transcribe', CLIP])
    expect(nothing.stderr).toContain(`There is no release in ${join(project, 'output')}.`)
    expect(nothing.stderr).not.toContain('npm run')
  })

  it('says what to install for the rest, which then works', async () => {
    const words = [
      'evaluate',
      '--models',
      `fp32:${release}`,
      '--datasets',
      BUNDLED_SPEECH,
      '--n-samples',
      '2',
    ]
    const refused = await run([...words, '--output', join(folder, 'results')])
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('Packages that this needs are not installed: @huggingface/hub,'),
    })
    const [, hint = ''] = /hint: Run: npm install (.+)/s.exec(refused.stderr) ?? []
    const other = await emptyProject(join(folder, 'everything'))
    await npmInstall(other, [tarball, ...hint.trim().split(/\s+/)])
    const measured = await run([...words, '--output', join(folder, 'results')], other)
    expect(measured, measured.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('WER') })
    expect(await run(['page', join(folder, 'page')], other)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('The package onnxruntime-web is not installed.'),
    })
  })
})

const MODULE = `
import { Qwen3Asr } from '${NAME}'
import { inspectModel, openModel } from '${NAME}/graph-tools'
import { evaluate } from '${NAME}/evaluate'
const [, , release, clip] = process.argv
const asr = await Qwen3Asr.load(release)
console.log((await asr.transcribe(clip)).text)
await asr.dispose()
console.log(inspectModel(openModel(release + '/decoder.onnx')).nodes > 100)
console.log((await evaluate({ models: [], datasets: [] }).catch((error) => error)).name)
`
const REQUIRED = `
const { Qwen3Asr } = require('${NAME}')
const { openModel } = require('${NAME}/graph-tools')
console.log(typeof Qwen3Asr.load, typeof openModel, typeof require('${NAME}/evaluate').evaluate)
`

describe('imported by a program', () => {
  let nodes: string[] = []

  beforeAll(async () => {
    await writeFile(join(project, 'a.mjs'), MODULE)
    await writeFile(join(project, 'b.cjs'), REQUIRED)
    const others = await emptyProject(join(folder, 'nodes'))
    const system = process.platform === 'win32' ? 'win' : process.platform
    const name = `node-${system}-${process.arch}`
    const aliases = OTHER_NODES.map((version) => `node${version}@npm:${name}@${version}`)
    await npmInstall(others, ['--ignore-scripts', ...aliases])
    const types = join(PROJECT, 'node_modules', '@types', 'node', 'package.json')
    const { version } = JSON.parse(await readFile(types, 'utf8'))
    await npmInstall(project, ['--ignore-scripts', `@types/node@${version}`])
    const program = process.platform === 'win32' ? 'node.exe' : 'node'
    nodes = OTHER_NODES.map((version) => join(others, 'node_modules', `node${version}`, 'bin', program))
  })

  it('runs on every supported Node, as a module and by require', async () => {
    for (const node of [process.execPath, ...nodes]) {
      const { stdout } = await execa(node, ['a.mjs', release, CLIP], { cwd: project })
      expect(stdout.split('\n'), node).toEqual([TEXT, 'true', 'SpeechError'])
      const required = await execa(node, ['b.cjs'], { cwd: project })
      expect(required.stdout, node).toBe('function function function')
    }
  })

  it.each([
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ])('has types for strict TypeScript, module %s, resolution %s', async (module, moduleResolution) => {
    const check = async (source: string) => {
      await writeFile(join(project, 'a.mts'), source)
      const options = { module, moduleResolution, strict: true, noEmit: true, skipLibCheck: false }
      const config = { compilerOptions: { ...options, target: 'es2023', types: ['node'] }, files: ['a.mts'] }
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config))
      const tsc = join(PROJECT, 'node_modules', 'typescript', 'bin', 'tsc')
      const { stdout } = await execa(process.execPath, [tsc, '-p', project], { reject: false })
      return stdout
    }
    const right = `
      import { Qwen3Asr, type Transcript } from '${NAME}'
      import { type Model, openModel } from '${NAME}/graph-tools'
      import { evaluate } from '${NAME}/evaluate'
      const asr = await Qwen3Asr.load('folder', { threads: 2 })
      const heard: Transcript = await asr.transcribe('a.wav')
      export const text: string = heard.text
      export const model: Model = openModel('a.onnx')
      export const rows = (await evaluate({ models: [], datasets: [] })).report.rows.length
    `
    expect(await check(right)).toBe('')
    expect(await check(right.replace('threads: 2', "threads: 'two'"))).toContain('TS2322')
  })
})

it('installs with scripts where the server of the CUDA libraries is out of reach, and says what is missing', async () => {
  const other = await emptyProject(join(folder, 'scripts'))
  await npmInstall(other, [tarball], NO_NETWORK)
  const first = await run(['transcribe', CLIP, '--model-dir', release], other)
  if (process.platform === 'linux' && process.arch === 'x64') {
    expect(first.stderr).toContain('The package onnxruntime-node is not installed.')
    const [, hint = ''] = /hint: Run: npm install (.+)/.exec(first.stderr) ?? []
    await npmInstall(other, hint.trim().split(/\s+/))
  }
  expect(await run(['transcribe', CLIP, '--model-dir', release], other)).toMatchObject({
    exitCode: 0,
    stdout: TEXT,
  })
})
