// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { deviceText } from '../../pipeline/providers/provider-tables.ts'
import { runCli } from '../helpers/cli.ts'
import { editedCommands } from '../helpers/commands.ts'
import { eventsOf } from '../helpers/events.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const AUDIO = [
  '--audio',
  join(BUNDLED_SPEECH, 'held-out-004.flac'),
  join(BUNDLED_SPEECH, 'held-out-003.flac'),
]
const ONE = AUDIO.slice(0, 2)

async function compare(args: readonly string[], env: Record<string, string | undefined> = {}) {
  const file = join(await temporaryFolder(), 'found.json')
  const folder = join(await sharedReleases(), TINY_NAME)
  const all = ['--model-dir', folder, '--threads', '1', '--output', file, ...args]
  return { ...(await runCli(all, env, 'compare')), file, folder }
}

/** A row of the table that computes on the processor, whose child does something else with `all` pieces of a recording. */
async function compareFaulty(name: string, fault: string) {
  const module = await editedCommands(name, 'eval/runtime/providers.ts', (code) =>
    code.replace(/about: "NVIDIA/, 'execution: { name: "cpu" }, $&'),
  )
  const edit = async (source: string, from: string, to: string) => {
    const code = await readFile(module(source), 'utf8')
    expect(code).toContain(from)
    await writeFile(module(source), code.replace(from, to))
  }
  const heard = 'const pieces = await piecesOfFile(clip.file)'
  const change = `.then((all) => provider === 'cpu' ? all : ${fault})`
  await edit('pipeline/providers/clips-child.ts', heard, `${heard}${change}`)
  await edit('eval/runtime/halves.ts', 'disable_cpu_ep_fallback: "1"', '') // it is the processor
  const folder = join(await sharedReleases(), TINY_NAME)
  const output = join(await temporaryFolder(), 'found.json')
  const args = ['--model-dir', folder, '--threads', '1', '--output', output, '--variants', 'fp32', ...AUDIO]
  const command = [module('pipeline/main.ts'), 'compare', ...args, '--providers', 'cuda']
  return execa(process.execPath, command, { cwd: PROJECT, reject: false })
}

describe.skipIf(process.platform !== 'linux')('compare --providers', () => {
  it('names providers that are missing with what to install, and compares the rest', async () => {
    const { exitCode, stdout, stderr, file, folder } = await compare([
      ...['--providers', 'cpu,cuda,dml,coreml', ...AUDIO],
    ])
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(stdout).toMatch(/^ {2}cpu {2,}yes {2,}as float32 {2,}- {2,}-$/m)
    expect(stdout).toMatch(/^ {2}cuda \(untested\) {2,}no {2,}not known/m)
    expect(stdout).toMatch(/^ {2}cpu {2,}int4 {2,}right {2,}2 of 2/m)
    expect(stdout).toContain('onnxruntime-node/script/install.js. They need Linux x64, CUDA 12 and cuDNN 9.')
    expect(stdout).toContain('dml is not available: This onnxruntime-node has no execution provider "dml".')
    const text = await readFile(file, 'utf8')
    for (const own of [folder, PROJECT, homedir(), 'held-out']) expect(text).not.toContain(own)
    const { providers, machine, release } = JSON.parse(text)
    expect(machine).toMatchObject({ onnxruntime: '1.30.0', node: process.versions.node })
    expect(Object.keys(release.fingerprints)).toEqual(['fp32', 'int4'])
    const of = (key: string) => providers.map((one: Record<string, unknown>) => one[key])
    expect(of('provider')).toEqual(['cpu', 'cuda', 'dml', 'coreml'])
    expect(of('isTried')).toEqual([true, false, false, false])
    const [clip] = providers[0].variants[1].clips
    expect(clip).toMatchObject({ clip: 0, seconds: 1.045875, steps: expect.any(Number) })
    expect(clip.text).toBeUndefined() // of own recordings
    expect(providers[0].host).toBeGreaterThan(50e6)
  })

  it('ends with an error when nothing that was asked for is there, and leaves the file', async () => {
    const { exitCode, stdout, file } = await compare(['--providers', 'dml', ...ONE, '--json'])
    const failure = eventsOf(stdout).at(-1)
    expect(failure.message).toBe('None of the providers that were asked for is available: dml.')
    expect(failure.hint).toContain('It is part of onnxruntime-node for Windows')
    expect(exitCode).toBe(1)
    expect(JSON.parse(await readFile(file, 'utf8')).providers[0].probe.isAvailable).toBe(false)
  })

  it('calls a provider wrong whose transcripts are garbage, and one that ends its process', async () => {
    const deaf = await compareFaulty('deaf', 'all.map((one) => one.fill(0))')
    expect(deaf.stdout).toMatch(/^ {2}cuda \(untested\) {2,}fp32 {2,}WRONG {2,}0 of 2/m)
    expect(deaf.stderr).toMatch(
      /error: fp32 on cuda is wrong: 2 of 2 transcripts differ from the processor's; audio features differ by /,
    )
    expect(deaf.stderr).toContain('hint: Do not use or publish it for this provider')
    expect(deaf.exitCode).toBe(3)
    const dead = await compareFaulty('dead', "process.kill(process.pid, 'SIGSEGV')")
    expect(dead.stderr).toContain(
      'error: fp32 on cuda is wrong: the process ended (SIGSEGV) while it transcribed held-out-004 with fp32',
    )
    expect(dead.exitCode).toBe(3)
  })

  it('transcribe says that a provider was never tested, and what is missing', async () => {
    const folder = join(await sharedReleases(), TINY_NAME)
    const args = [ONE[1] ?? '', '--model-dir', folder, '--provider', 'cuda', '--threads', '1']
    const { stderr, exitCode } = await runCli(args, {}, 'transcribe')
    expect(stderr).toContain('cuda: this project has never tested it. npm run compare -- --model-dir DIR')
    expect(stderr).toContain(
      'hint: cuda cannot be used here. Its libraries (Microsoft.ML.OnnxRuntime.Gpu.Linux',
    )
    expect(exitCode).toBe(1)
  })

  it.each([
    [['--providers', 'cpu,wat'], '--providers names "wat", wanted some of cpu, webgpu, cuda, dml, coreml.'],
    [['--output', 'x'], '--output is for --providers.'],
    [['--variants', 'x'], '--variants is for --providers.'],
    [[], 'Found neither --audio nor --providers, wanted what to compare.'],
  ])('%j is wrong usage', async (args, message) => {
    const { exitCode, stderr } = await runCli(['--model-dir', 'x', ...args], {}, 'compare')
    expect(stderr).toContain(`error: ${message}\n`)
    expect(exitCode).toBe(2)
  })
})

it('a device has the names that the system gives, or that of its driver, and one in software says so', () => {
  const drivers = ['libnvidia-glcore.so']
  expect(
    deviceText({
      drivers,
      devices: ['NVIDIA H200', 'Intel Arc'].map((name) => ({ name, by: 'vulkaninfo' })),
    }),
  ).toBe('NVIDIA H200 or Intel Arc')
  const devices = [{ name: 'NVIDIA H200', driver: '570.1', by: 'nvidia-smi' }]
  expect(deviceText({ drivers, devices })).toBe('NVIDIA H200 (driver 570.1)')
  expect(deviceText({ drivers, devices: [] })).toBe('libnvidia-glcore.so')
  expect(deviceText({ drivers: ['libvk_swiftshader.so'], devices: [] })).toBe(
    'libvk_swiftshader.so, a device in software',
  )
  expect(deviceText({ drivers: [], devices: [] })).toBeUndefined()
})
