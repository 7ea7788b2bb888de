// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseEvaluate } from '../../pipeline/commands/evaluate-options.ts'
import { parsePackage } from '../../pipeline/commands/package-options.ts'
import { parsePipeline } from '../../pipeline/commands/pipeline-options.ts'
import { parseTranscribe } from '../../pipeline/commands/transcribe-options.ts'
import { defaultPlaces } from '../../pipeline/evaluate/evaluation-places.ts'
import { makeProgress } from '../../pipeline/evaluate/evaluation-progress.ts'
import { runEvaluation } from '../../pipeline/evaluate/run-evaluation.ts'
import { withFolders } from '../../pipeline/graph/folder-lock.ts'
import { runPackage } from '../../pipeline/release/run-package.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { isWritable, requireWritable } from '../../pipeline/shared/writable.ts'
import { runPipeline } from '../../pipeline/stages/run-pipeline.ts'
import { transcribeFiles } from '../../pipeline/transcribe/transcribe-files.ts'
import { injectReadOnly } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const NOT_OURS = 'not-ours'
const signal = new AbortController().signal
let end = () => {}

afterEach(() => {
  end()
  vi.unstubAllEnvs()
})

/** A folder with a model directory, which cannot be written. */
async function readOnlyFolder(): Promise<string> {
  const folder = join(await temporaryFolder(), NOT_OURS)
  await mkdir(join(folder, 'model'), { recursive: true })
  await writeFile(join(folder, 'model', 'config.json'), '{}')
  end = injectReadOnly(NOT_OURS)
  return folder
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('no options')
  return value
}

const ignored = { isLive: false, print: () => {}, complain: () => {} }

describe('a folder that cannot be written is refused before any work', () => {
  const commands: [string, (folder: string) => Promise<unknown>, string, string][] = [
    [
      'pipeline',
      async (folder) =>
        runPipeline(given(await parsePipeline(['--model', 'tiny', '--output', folder])), () => {}, signal),
      'The output folder',
      '--output',
    ],
    [
      'evaluate --output',
      async (folder) => {
        const command = given(
          await parseEvaluate(['--models', `x:${folder}/model`, '--datasets', 'clips', '--output', folder]),
        )
        if (command.command !== 'evaluate') throw new Error('another command')
        return runEvaluation(command, makeProgress(false), signal)
      },
      '--output',
      '--output and --cache',
    ],
    [
      'package',
      async (folder) => runPackage(given(await parsePackage([join(folder, 'model')])), () => {}, signal),
      'The model directory',
      'Copy the model directory to a place that you can write',
    ],
    [
      'verify --keep',
      async (folder) =>
        runPackage(given(await parsePackage(['verify', folder, '--keep', folder])), () => {}, signal),
      '--keep',
      '--keep',
    ],
    [
      'transcribe --output-dir',
      async (folder) =>
        transcribeFiles(given(await parseTranscribe(['a.wav', '--output-dir', folder])), ignored, signal),
      '--output-dir',
      '--output-dir',
    ],
    ['graph', (folder) => withFolders([folder], async () => {}), 'The folder', 'Copy its files to a folder'],
  ]
  it.each(commands)('by %s', async (_, command, what, remedy) => {
    const folder = await readOnlyFolder()
    const error = await command(folder).then(
      () => undefined,
      (error: unknown) => error,
    )
    const { message, hint, exitCode } = describeError(error)
    expect(message).toMatch(
      new RegExp(`^${what} \\S*${NOT_OURS}\\S* cannot be written: found \\S*${NOT_OURS}`),
    )
    expect(message).toMatch(/ on a read-only file system, wanted a folder to write in\.$/)
    expect(hint).toContain(remedy)
    expect(exitCode).toBe(1)
    expect(await readdir(folder)).toEqual(['model'])
  })

  it('with a file in its place, or in the way of it', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'file')
    await writeFile(file, '')
    for (const place of [file, join(file, 'deep', 'down')])
      await expect(requireWritable(place, '--output', '')).rejects.toThrow(
        `--output ${place} cannot be written: found that ${file} is a file, wanted a folder to write in.`,
      )
    await expect(requireWritable(join(folder, 'new', 'one'), '--output', '')).resolves.toBeUndefined()
    await symlink(join(folder, 'nowhere'), join(folder, 'link'))
    expect(await isWritable(folder)).toBe(true)
  })

  it('and a write that fails all the same is one sentence', () => {
    const failing = (code: string) => describeError(Object.assign(new Error(code), { code, path: '/x/y' }))
    expect(failing('EROFS').message).toBe('/x/y is on a file system that is read-only.')
    expect(failing('EACCES').message).toBe('No permission for /x/y.')
  })
})

describe('evaluate in a clone of somebody else', () => {
  it("writes to the user's own folders", async () => {
    const home = await temporaryFolder()
    vi.stubEnv('XDG_STATE_HOME', '')
    vi.stubEnv('XDG_CACHE_HOME', 'relative is ignored')
    const project = join(await temporaryFolder(), NOT_OURS)
    await mkdir(join(project, 'output'), { recursive: true })
    expect(await defaultPlaces(project)).toEqual({
      ...{ results: join(project, 'output', 'evaluation'), cache: join(project, 'output', '.cache') },
      isOwn: true,
    })
    end = injectReadOnly(NOT_OURS)
    expect(await defaultPlaces(project)).toEqual({
      ...{ results: join(homedir(), '.local', 'state', 'qwen3-asr-onnx', 'evaluation') },
      ...{ cache: join(homedir(), '.cache', 'qwen3-asr-onnx'), isOwn: false },
    })
    vi.stubEnv('XDG_STATE_HOME', join(home, 's'))
    vi.stubEnv('XDG_CACHE_HOME', join(home, 'c'))
    expect(await defaultPlaces(project)).toMatchObject({
      ...{
        results: join(home, 's', 'qwen3-asr-onnx', 'evaluation'),
        cache: join(home, 'c', 'qwen3-asr-onnx'),
      },
    })
  })
})
