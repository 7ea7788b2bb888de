import { appendFile, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parsePipeline } from '../../pipeline/commands/pipeline-options.ts'
import { runPipeline } from '../../pipeline/stages/run-pipeline.ts'
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
