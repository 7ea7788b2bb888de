// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import { parseModel } from '../../graph-tools/model.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { fullDiskFor, runCli, startCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { stagePython } from '../helpers/prepared.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'

const NAME = 'qwen3-asr-tiny'

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 50) {
    if (waited > 60_000) throw new Error('waited for a minute')
    await sleep(50)
  }
}

/** Python processes that run a script for `output`. */
async function pythonsFor(output: string): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'args'])
  return stdout
    .split('\n')
    .filter((line) => line.includes('python') && line.includes(output) && line.includes('.py'))
}

beforeAll(async () => {
  await stagePython() // what the runs wait for otherwise
})

describe('stopping in the middle', () => {
  it('Ctrl-C stops the children, says how to continue, leaves no stamp; a second run is refused meanwhile', async () => {
    const output = await temporaryFolder()
    const work = join(output, NAME, '.work')
    const running = startCli(['--model', 'tiny', '--output', output, '--until', 'quantize'])
    await until(() => existsSync(join(work, 'checkpoint.json')))
    while ((await pythonsFor(output)).length === 0) await sleep(50)

    const other = await runCli(['--model', 'tiny', '--output', output])
    expect(other.stdout).toMatch(
      new RegExp(`error: Another run \\(process ${running.pid}\\) is working on ${join(output, NAME)}`),
    )
    expect(other.exitCode).toBe(1)

    running.kill('SIGINT')
    const ended = await running
    expect(ended.exitCode).toBe(130)
    expect(ended.stdout).toContain(
      'error: Stopped.\nhint: Run the same command again: finished stages are kept.',
    )
    expect(await pythonsFor(output)).toEqual([])
    expect(existsSync(join(work, 'lock'))).toBe(false)
    expect(await readdir(join(work, 'stamps'))).toEqual([])
  })

  it('after a kill nothing looks finished; the next run continues; a full disk is named, and running again continues', async () => {
    const output = await temporaryFolder()
    const model = join(output, NAME)
    const args = ['--model', 'tiny', '--output', output, '--until', 'quantize', '--opset', '23']

    const killed = startCli(args)
    await until(() => existsSync(join(model, '.work', 'checkpoint.json')))
    await sleep(2000)
    killed.kill('SIGKILL')
    await killed
    while ((await pythonsFor(output)).length > 0) await sleep(50) // its child ends with it
    expect(await readdir(join(model, '.work', 'stamps'))).toEqual([])
    expect((await readdir(model)).filter((name) => name !== '.work')).toEqual([])

    // The lock of the killed run is taken over. Every write to encoder.onnx fails as on a full disk.
    const full = await runCli(args, fullDiskFor('encoder.onnx.partial'))
    expect(full.stdout).toContain('[export] done')
    expect(full.stdout).toMatch(
      /error: The disk is full.*\nhint: Free space, then run the same command again/,
    )
    expect(full.exitCode).toBe(1)
    expect(existsSync(join(model, 'encoder.onnx'))).toBe(false)

    const third = await runCli(args)
    expect(third.stdout).toContain('[export] skipped: nothing it depends on has changed')
    expect(third.stdout).toContain('[rewrite] done')
    expect(third.exitCode).toBe(0)

    for (const graph of ['encoder', 'decoder_init', 'decoder_step.int4']) {
      const { opsets } = parseModel(await readFile(join(model, `${graph}.onnx`)))
      expect(opsets.get('')).toBe(23)
    }

    // The exported graphs served the rewrite; without them nothing is out of date, until the rewrite runs again.
    expect(await readdir(join(model, '.work', 'export'))).not.toContain('decoder.data')
    const again = await runCli(args)
    expect(again.stdout).toContain('[export] skipped')
    expect(again.stdout).toContain('[quantize] skipped')

    // A file that was removed or changed behind the stamps is made again, and what follows with it.
    await rm(join(model, 'decoder_weights.data'))
    const fourth = await runCli(
      [...args, '--keep-intermediate'],
      fullDiskFor('decoder_weights.int4.data.partial'),
    )
    expect(fourth.stdout).toContain('[export] done')
    expect(fourth.stdout).toContain('[rewrite] done')
    expect(fourth.stdout).toContain('error: The disk is full.')
    expect(existsSync(join(model, 'decoder_weights.data'))).toBe(true)
    expect((await readdir(model)).filter((name) => name.includes('int4'))).toEqual([])
    expect(await readdir(join(model, '.work', 'export'))).toContain('decoder.data')
    const fifth = await runCli(args)
    expect(fifth.stdout).toContain('[rewrite] skipped')
    expect(fifth.stdout).toContain('[quantize] done')
    const inode = async (name: string) => (await stat(join(model, name))).ino
    expect(await inode('encoder.int4.onnx')).toBe(await inode('encoder.onnx'))

    // Other options for one stage rerun it alone. Symmetric weights have no zero points.
    const symmetric = await runCli([...args, '--symmetric', '--block-size', '32'])
    expect(symmetric.stdout).toContain('[rewrite] skipped')
    expect(symmetric.stdout).toContain('[quantize] done')
    const { graph } = parseModel(await readFile(join(model, 'decoder_step.int4.onnx')))
    const quantized = graph.nodes.filter(({ opType }) => opType === 'MatMulNBits')
    expect(quantized.length).toBe(22)
    expect(new Set(quantized.map(({ inputs }) => inputs.length))).toEqual(new Set([3]))
    const asr = await Qwen3Asr.load(model, { threads: 1 })
    expect(asr.prefill).toBe('int8')
    const [row] = await bundledRows(1)
    const { text } = await asr.transcribe(join(BUNDLED_SPEECH, row?.file ?? ''))
    await asr.dispose()
    expect(text.replaceAll(/[^\w ]/g, '').toLowerCase()).toBe(
      row?.text.replaceAll(/[^\w ]/g, '').toLowerCase(),
    )
  }, 900_000) // seven runs of the pipeline
})
