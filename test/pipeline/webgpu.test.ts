// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { providerOf } from '../../eval/runtime/providers.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { runCli } from '../helpers/cli.ts'
import { builtModule } from '../helpers/commands.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'
import { softwareVulkan } from '../helpers/vulkan.ts'

it('webgpu transcribes as the processor does, within its tolerances and without a word of its own', async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const clip = join(BUNDLED_SPEECH, 'held-out-000.flac')
  const program = builtModule('test/helpers/provider-differences.ts')
  const { stdout, stderr } = await execa(process.execPath, [program, model, 'fp32', 'webgpu', clip], {
    env: await softwareVulkan(),
  })
  const { features, logits, texts, prefill, split } = JSON.parse(stdout)
  expect(texts).toEqual(new Array(2).fill('One seven zero two nine two.'))
  const { tolerance, prompts } = providerOf('webgpu')
  expect(prefill).toBe(prompts)
  expect(features).toBeGreaterThan(0) // it was another device
  expect(features).toBeLessThanOrEqual(tolerance.features)
  expect(logits).toBeLessThanOrEqual(tolerance.logits)
  if (process.platform !== 'linux') return
  expect(split).toEqual({
    message: `${join(model, 'decoder_init.onnx')} has values in float16, which this device cannot compute with.`,
    hint: 'The split layout looks tokens up in a table of float16: use the fused layout, which every variant has.',
  })
  // the library's own line of that refusal, and nothing else
  expect(
    stderr
      .trim()
      .split('\n')
      .filter((line) => !line.includes('requires f16') && line.trim() !== '\u001b[m'),
  ).toEqual([])
})

it("webgpu chooses the processor's tokens for every bundled clip, in FP32 and int4", async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const args = [builtModule('test/helpers/provider-texts.ts'), model, 'webgpu', 'fp32', 'int4']
  const { stdout } = await execa(process.execPath, args, { env: await softwareVulkan() })
  const none = { clips: 70, tokens: expect.any(Number), changed: [] }
  expect(JSON.parse(stdout)).toEqual({ fp32: none, int4: none })
}, 1_800_000)

it('compare transcribes a clip on webgpu as on the processor, in int4', async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const output = join(await temporaryFolder(), 'found.json')
  const audio = join(BUNDLED_SPEECH, 'held-out-004.flac')
  const args = [
    '--model-dir',
    model,
    '--threads',
    '1',
    '--variants',
    'int4',
    '--audio',
    audio,
    '--output',
    output,
  ]
  const ended = await runCli([...args, '--providers', 'webgpu'], await softwareVulkan(), 'compare')
  expect(ended.stdout).toMatch(/^ {2}webgpu {2,}int4 {2,}right {2,}1 of 1/m)
  expect(ended.exitCode).toBe(0)
  const [{ probe, device }] = JSON.parse(await readFile(output, 'utf8')).providers
  if (process.platform !== 'linux') return
  expect(probe).toMatchObject({ isAvailable: true, isSoftware: true, halves: 'no' })
  expect(probe.drivers).toEqual(['libvk_swiftshader.so'])
  expect(device).toBeUndefined() // not known
  for (const step of Object.values<Record<string, unknown>>(probe.steps))
    expect(step).toMatchObject({ device: expect.any(Number), processor: { Shape: expect.any(Number) } })
  expect(Object.keys(probe.steps)).toEqual(['int4'])
})

it('evaluate puts one variant on two providers into one table', async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const output = await temporaryFolder()
  const ended = await runCli(
    [
      ...['--models', `fp32:${model}`, `fp32@webgpu:${model}`, '--datasets', BUNDLED_SPEECH],
      ...['--n-samples', '1', '--sample', 'first', '--threads', '1', '--output', output],
    ],
    await softwareVulkan(),
    'evaluate',
  )
  expect(ended.exitCode).toBe(0)
  expect(ended.stdout).toMatch(/^ {2}fp32@webgpu .*%/m)
  expect(ended.stdout).toContain('fp32@webgpu: fused layout, on webgpu, one utterance at a time')
  const { systems, machines } = JSON.parse(await readFile(join(output, 'report.json'), 'utf8'))
  const of = systems.map(({ name, settings }: { name: string; settings: { provider: string } }) => [
    name,
    settings.provider,
  ])
  expect(of).toEqual([
    ['fp32', 'cpu'],
    ['fp32@webgpu', 'webgpu'],
  ])
  const used = machines.map(
    ({ machine, results }: { machine: { executionProvider: string }; results: number }) =>
      `${machine.executionProvider} ${results}`,
  )
  expect(used.sort()).toEqual(['cpu 1', 'webgpu 1'])
  const [header = '', ...rows] = (await readFile(join(output, 'results.csv'), 'utf8')).trim().split('\n')
  const at = header.split(',').indexOf('execution_provider')
  expect(rows.map((row) => row.split(',')[at])).toContain('webgpu')
})
