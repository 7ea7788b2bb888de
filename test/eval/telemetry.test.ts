// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { builtCommand, builtModule } from '../helpers/commands.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const SPEECH = join(PROJECT, 'test', 'fixtures', 'speech')
const API = builtModule('eval/runtime/qwen3-asr.ts')

let release = ''
beforeAll(async () => {
  release = join(await sharedReleases(), TINY_NAME)
})

/** An environment of a user who has set nothing (not even CI, where onnxruntime is quiet by itself), whose home and temporary folder are watched. */
async function freshHome(): Promise<{ env: Record<string, string>; left: () => Promise<string[]> }> {
  const root = await temporaryFolder()
  const places = { HOME: join(root, 'home'), TMPDIR: join(root, 'tmp'), XDG_CACHE_HOME: join(root, 'cache') }
  for (const place of Object.values(places)) await mkdir(place)
  const { PATH = '' } = process.env
  const env = { PATH, ...places, OMP_NUM_THREADS: '1', TSX_DISABLE_CACHE: '1' } // of the worker threads
  return { env, left: async () => (await readdir(root, { recursive: true })).sort() }
}

/** Run a module of its own, as a user's program would. */
function runModule(source: string, env: Record<string, string>) {
  const args = ['--input-type=module', '-e', source]
  return execa(process.execPath, args, { env, extendEnv: false, cwd: PROJECT })
}

describe('the telemetry of onnxruntime', () => {
  it('is off in a program that transcribes through the API: it leaves no file anywhere', async () => {
    const { env, left } = await freshHome()
    const [clip] = (await readdir(SPEECH)).filter((name) => name.endsWith('.flac'))
    const source = `
      import { Qwen3Asr } from ${JSON.stringify(API)}
      const asr = await Qwen3Asr.load(${JSON.stringify(release)}, { threads: 1 })
      console.log((await asr.transcribe(${JSON.stringify(join(SPEECH, clip ?? ''))})).text)
      await asr.dispose()`
    expect((await runModule(source, env)).stdout).toMatch(/\w+/)
    expect(await left()).toEqual(['cache', 'home', 'tmp'])
  })

  it('is off in a stage of the pipeline', async () => {
    const { env, left } = await freshHome()
    const [output, speech] = [await temporaryFolder(), await temporaryFolder()]
    await execa('cp', ['-a', release, output]) // with times to the nanosecond, as stamps want
    const [line = ''] = (await readFile(join(SPEECH, 'manifest.jsonl'), 'utf8')).split('\n')
    await writeFile(join(speech, 'manifest.jsonl'), line)
    await cp(join(SPEECH, JSON.parse(line).file), join(speech, JSON.parse(line).file))
    const stage = ['--only', 'evaluate', '--speech', speech, '--threads', '1', '--json']
    const args = [...builtCommand('pipeline'), '--model', 'tiny', '--output', output, ...stage]
    const { stdout } = await execa(process.execPath, args, {
      ...{ env, extendEnv: false, cwd: PROJECT },
    })
    expect(stdout).toContain('{"event":"stage-done","stage":"evaluate"')
    expect(await left()).toEqual(['cache', 'home', 'tmp'])
  })

  it('is off in the Python of the stages', async () => {
    const { env, left } = await freshHome()
    const out = await temporaryFolder()
    const recipe = join(out, 'recipe.json')
    const rules = { variant: 'int4', decoder: [['*', 'q4b64']], accuracyLevel: 4 }
    await writeFile(recipe, JSON.stringify(rules))
    const args = ['--models', join(release, 'decoder.onnx'), '--out', out, '--recipe', recipe]
    const source = `
      import { runPython } from ${JSON.stringify(builtModule('pipeline/python/run-python.ts'))}
      await runPython('quantize/quantize.py', ${JSON.stringify(args)}, {
        python: ${JSON.stringify(await stagePython())}, log: ${JSON.stringify(join(out, 'log'))},
        signal: new AbortController().signal, onProgress: () => {},
      })`
    await runModule(source, env)
    expect(await readdir(out)).toContain('decoder.int4.onnx')
    expect(await left()).toEqual(['cache', 'home', 'tmp'])
  })

  it.each(['0', '', 'yes'])('stays as the user has set it: %j', async (value) => {
    const { env } = await freshHome()
    const source = `
      import { execFileSync } from 'node:child_process'
      await import(${JSON.stringify(builtModule('eval/runtime/no-telemetry.ts'))})
      console.log(execFileSync('sh', ['-c', 'echo "[$ORT_DISABLE_TELEMETRY]"'], { encoding: 'utf8' }))`
    const { stdout } = await runModule(source, { ...env, ORT_DISABLE_TELEMETRY: value })
    expect(stdout.trim()).toBe(`[${value}]`)
  })

  it('cannot be switched off by a worker thread alone, which is refused', async () => {
    const { env, left } = await freshHome()
    const code = `
      import(${JSON.stringify(API)}).then(async ({ Qwen3Asr }) => {
        const loading = Qwen3Asr.load(${JSON.stringify(release)}, { threads: 1 })
        await loading.catch(({ message, hint }) => console.log(message, hint))
      })`
    const source = `
      import { Worker } from 'node:worker_threads'
      new Worker(${JSON.stringify(code)}, { eval: true })`
    const { stdout } = await runModule(source, env)
    expect(stdout).toBe(
      'The telemetry of onnxruntime cannot be switched off from a worker thread, so it is not loaded here. ' +
        'Start the process with ORT_DISABLE_TELEMETRY=1, or import this module in the main thread first.',
    )
    expect(await left()).toEqual(['cache', 'home', 'tmp'])
  })
})
