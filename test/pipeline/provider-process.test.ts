// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { providerOf } from '../../eval/runtime/providers.ts'
import { halfGraph, sumGraph } from '../../eval/runtime/small-graphs.ts'
import type { HeardClip } from '../../pipeline/providers/heard-clip.ts'
import { runProvider } from '../../pipeline/providers/provider-process.ts'
import { judgeProvider } from '../../pipeline/providers/provider-verdict.ts'
import { readProfile } from '../../pipeline/providers/step-profile.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const never = new AbortController().signal

async function child(code: string): Promise<string> {
  const file = join(await temporaryFolder(), 'child.mjs')
  await writeFile(
    file,
    `process.on('message', (question) => { const tell = (said) => process.send(said); ${code} })`,
  )
  return file
}

describe('a process for a provider', () => {
  it.each([
    ['tell({ part: question.a }); tell({ end: true })', undefined, [7]],
    ["tell({ part: 1 }); tell({ problem: 'no adapter' })", 'no adapter', [1]],
    [
      "tell({ begin: 'it opened a graph' }, () => process.kill(process.pid, 'SIGSEGV')); process.kill(process.pid, 'SIGSEGV')",
      'the process ended (SIGSEGV) while it opened a graph',
      [],
    ],
    ['process.exit(9)', 'the process ended (exit code 9) while it started', []],
    [
      "tell({ begin: 'it computed' }); setInterval(() => {}, 1000)",
      'no answer for 10 s while it computed',
      [],
    ],
  ])('%s', async (code, problem, parts) => {
    const ended = await runProvider(await child(code), { a: 7 }, { silence: 10, signal: never })
    expect({ problem: ended.problem, parts: ended.parts }).toEqual({ problem, parts })
  })

  it('keeps what the libraries say, and stops when its signal aborts', async () => {
    const module = await child("console.error('driver 1.2'); tell({ end: true })")
    const ended = await runProvider(module, {}, { silence: 5, signal: never })
    expect(ended.log).toMatch(/driver 1\.2|^$/)
    const stop = new AbortController()
    const running = runProvider(
      await child('setInterval(() => {}, 1000)'),
      {},
      { silence: 60, signal: stop.signal },
    )
    stop.abort(new Error('stopped'))
    await expect(running).rejects.toThrow('stopped')
  })
})

it('the small graphs compute a sum, and a square', async () => {
  for (const [graph, wanted] of [
    [sumGraph(), [2, 4, 6, 8]],
    [halfGraph(), [1, 4, 9, 16]],
  ] as const) {
    const session = await InferenceSession.create(graph)
    const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, 3, 4), [4]) })
    expect(Array.from((y as Tensor).data as Float32Array)).toEqual(wanted)
    await session.release()
  }
})

describe('the profile of a step', () => {
  const event = (ts: number, name: string, provider: string) => ({
    ...{ cat: 'Node', ts, dur: 1, name: `${name}_kernel_time` },
    args: { op_name: name, provider },
  })
  const run = (ts: number) => ({ cat: 'Session', name: 'model_run', ts, dur: 10 })

  it('is that of the last run', () => {
    const text = JSON.stringify([
      ...[run(0), event(1, 'MatMul', 'CPUExecutionProvider'), run(20)],
      ...[event(21, 'MatMul', 'WebGpuExecutionProvider'), event(22, 'Shape', 'CPUExecutionProvider')],
      ...[event(23, 'MemcpyToHost', 'WebGpuExecutionProvider'), event(40, 'Add', 'CPUExecutionProvider')],
    ])
    expect(readProfile(text)).toEqual({ device: 1, processor: { Shape: 1 }, toDevice: 0, toHost: 1 })
  })

  it.each(['', '{}', '[]', '[{"ts":"x"}]'])('is refused where it is %j', (text) => {
    expect(() => readProfile(text)).toThrow()
  })
})

describe('the verdict of a provider', () => {
  const { tolerance } = providerOf('webgpu')
  const clip = (text: string, features = 0, logits = 0, problem?: string): HeardClip => ({
    ...{ text, tokens: [], seconds: 1, steps: 1 },
    timing: { mel: 0, encoder: 0, prefill: 0, decode: 0 },
    difference: { features, logits, ...(problem !== undefined && { problem }) },
  })
  const clips = (count: number, text: string) => Array.from({ length: count }, () => clip(text))
  const wanted = clips(70, 'a')
  const judge = (variant: string, found: readonly HeardClip[], problem?: string) =>
    judgeProvider(variant, found, wanted, tolerance, problem)

  it('allows the share of transcripts that the row allows, and no more', () => {
    expect(judge('int4', [...clips(2, 'b'), ...clips(68, 'a')])).toMatchObject({ isRight: true, changed: 2 })
    expect(judge('int4', [...clips(3, 'b'), ...clips(67, 'a')]).reasons).toEqual([
      "3 of 70 transcripts differ from the processor's",
    ])
  })

  it('holds FP32 to the tolerances of the row, and every variant to finite values', () => {
    const far = [...clips(69, 'a'), clip('a', 1, 1)]
    expect(judge('int4', far).isRight).toBe(true)
    expect(judge('fp32', far).reasons).toEqual([
      'audio features differ by 1.0e+0, wanted at most 1e-3',
      'logits differ by 1.0e+0, wanted at most 1e-2',
    ])
    const broken = [...clips(69, 'a'), clip('a', Number.NaN, 0, 'the provider has NaN at value 1 of 2')]
    expect(judge('int4', broken).reasons).toEqual(['the provider has NaN at value 1 of 2'])
  })

  it('counts clips that were never transcribed', () => {
    const verdict = judge(
      'int4',
      clips(60, 'a'),
      'the process ended (SIGSEGV) while it transcribed held-out-060',
    )
    expect(verdict).toMatchObject({ isRight: false, changed: 10, of: 70 })
    expect(verdict.reasons[0]).toBe('the process ended (SIGSEGV) while it transcribed held-out-060')
  })
})
