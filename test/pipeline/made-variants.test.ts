// SPDX-License-Identifier: Apache-2.0

import { appendFile, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { openModel } from '../../graph-tools/model.ts'
import { parsePipeline } from '../../pipeline/commands/pipeline-options.ts'
import { runPipeline } from '../../pipeline/stages/run-pipeline.ts'
import { editedCommands } from '../helpers/commands.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

/** Quantize, and stop at once when a note matches. @returns the variants that were there already */
async function quantize(model: string, variants: string, stopAt?: RegExp): Promise<string[]> {
  const stop = new AbortController()
  const options = await parsePipeline([
    ...['--model', 'tiny', '--output', join(model, '..'), '--variants', variants],
    ...['--only', 'quantize', '--threads', '1'],
  ])
  if (!options) throw new Error('no options')
  const kept: string[] = []
  await runPipeline(
    options,
    (event) => {
      if (event.event !== 'note') return
      const [, name] = /^(\S+) is there already$/.exec(event.text) ?? []
      if (name !== undefined) kept.push(name)
      if (stopAt?.test(event.text)) stop.abort(new Error('stopped'))
    },
    stop.signal,
  )
  return kept
}

it('makes only the variants that are not there as it would make them', async () => {
  const model = await copyTinyRelease()
  const changed = async (file: string) => (await stat(join(model, file))).mtimeMs
  const before = [await changed('decoder.int4.onnx'), await changed('decoder_weights.int4.data')]

  // stopped after the second of three variants
  const stopped = quantize(model, 'fp32,int4,q8,fp16', /^encoder\.q8\.onnx: /)
  await expect(stopped).rejects.toThrow('stopped')
  expect(await quantize(model, 'fp32,int4,q8,fp16')).toEqual(['int4', 'q8'])
  expect([await changed('decoder.int4.onnx'), await changed('decoder_weights.int4.data')]).toEqual(before)

  // a file that something else has changed
  await appendFile(join(model, 'decoder_weights.q8.data'), 'more')
  expect(await quantize(model, 'fp32,int4,q8')).toEqual(['int4'])
  await expect(stat(join(model, 'decoder.fp16.onnx'))).rejects.toThrow('ENOENT')

  const { quantization } = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'))
  expect(Object.keys(quantization)).toEqual(expect.arrayContaining(['decoder.int4', 'decoder.q8']))
  expect(Object.keys(quantization)).not.toContain('decoder.fp16')
})

it('makes an encoder by the first rules that pass on the calibration, and says so everywhere', async () => {
  const model = await copyTinyRelease()
  const module = await editedCommands('worse-encoder', 'pipeline/variants.ts', (code) => {
    const worse = code.replace(/encoder: \[\[(["'])\*\1, \1i8\1\]\]/, 'encoder: [["*", "q2b16"]]')
    expect(worse).not.toBe(code)
    return worse
  })
  const { stdout } = await execa(process.execPath, [
    ...[module('pipeline/main.ts'), 'pipeline', '--model', 'tiny', '--output', join(model, '..')],
    ...['--variants', 'fp32,int8', '--only', 'quantize', '--calibration-clips', '8', '--threads', '1'],
  ])
  expect(stdout).toMatch(
    /encoder\.int8\.onnx is not `\* q2b16`: a cosine of 0\.9\d{3} for 99 % of the features, a KLD of 0\.0\d+ nats, wanted at least 0\.99, and at most 0\.001\./,
  )
  const taken = [
    ['conv_weights.*', 'bf16'],
    ['*', 'i8'],
  ]
  const provenance = JSON.parse(await readFile(join(model, '.work', 'provenance.json'), 'utf8'))
  expect(provenance.recipes.int8.encoder).toEqual([['*', 'q2b16']])
  expect(provenance.encoders.int8).toMatchObject({
    rules: taken,
    tried: [{ rules: [['*', 'q2b16']] }, { rules: taken }],
  })
  const { quantization } = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'))
  expect(quantization['encoder.int8']).toBe(
    'smoothed (smoothquant:0.5) where channels are large; conv_weights.*: bfloat16, computed in float32; int8 (7 bits) with a scale for each column, activations uint8 with a scale for each row',
  )
  const types = openModel(join(model, 'encoder.int8.onnx')).graph.nodes.map(({ opType }) => opType)
  expect([types.includes('MatMulIntegerToFloat'), types.includes('QLinearConv')]).toEqual([true, false])
})
