// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { bytesText, clockText, spanText } from '../../eval/page/quantities.ts'
import { releaseAddress } from '../../eval/page/release-address.ts'
import { readManifest } from '../../eval/page/release-manifest.ts'
import { type Device, gpuPrefers, preferredVariant, variantNote } from '../../eval/page/variant-choice.ts'

const HUB = 'https://hub.example'
const SHA = (letter: string) => letter.repeat(64)

describe('the address of a release', () => {
  it.each([
    ['me/tiny', 'me/tiny', `${HUB}/me/tiny/resolve/main/`],
    [' me/tiny@v1.0 ', 'me/tiny@v1.0', `${HUB}/me/tiny/resolve/v1.0/`],
    ['me/tiny@refs/pr/1', 'me/tiny@refs/pr/1', `${HUB}/me/tiny/resolve/refs%2Fpr%2F1/`],
    [`${HUB}/me/tiny`, 'me/tiny', `${HUB}/me/tiny/resolve/main/`],
    [`${HUB}/me/tiny/tree/refs%2Fpr%2F1`, 'me/tiny@refs/pr/1', `${HUB}/me/tiny/resolve/refs%2Fpr%2F1/`],
    [`${HUB}/me/tiny/blob/main/manifest.json`, 'me/tiny', `${HUB}/me/tiny/resolve/main/`],
    ['https://a.example/models/x', 'https://a.example/models/x/', 'https://a.example/models/x/'],
    ['https://a.example/x/manifest.json?v=1', 'https://a.example/x/', 'https://a.example/x/'],
    ['http://localhost:8080/x/', 'http://localhost:8080/x/', 'http://localhost:8080/x/'],
  ])('%s', (text, name, base) => expect(releaseAddress(text, HUB)).toEqual({ name, base }))

  it.each([
    '',
    'tiny',
    'http://a.example/x',
    'http://localhost.example/x',
    'ftp://a.example/x',
    'javascript:1',
  ])('is not %j', (text) =>
    expect(() => releaseAddress(text, HUB)).toThrow(/not an address of a release|wanted https:/),
  )
})

describe('what a browser needs of a release', () => {
  const file = (path: string, role: string, variants: string[], letter: string) => ({
    ...{ path, role, variants, size: 10, sha256: SHA(letter) },
  })
  const files = [
    file('encoder.onnx', 'encoder', ['fp32'], 'a'),
    file('encoder.int4.onnx', 'encoder', ['int4'], 'a'),
    file('decoder.int4.onnx', 'decoder', ['int4'], 'b'),
    file('decoder_init.int4.onnx', 'decoder', ['int4'], 'c'),
    file('decoder_init.onnx', 'decoder', ['fp32'], 'd'),
    file('decoder_step.onnx', 'decoder', ['fp32'], 'e'),
    file('decoder_prefill.int4.onnx', 'prefill', ['int4'], 'f'),
    file('config.json', 'config', ['fp32', 'int4'], 'a'),
    file('x.tar.gz', 'archive', ['int4'], '0'),
  ]
  const manifest = (more: object = {}) =>
    new TextEncoder().encode(JSON.stringify({ format: 1, name: 'x', files, ...more }))

  it('is the fused layout where there is one, without the graph for prompts and archives', () => {
    const { variants } = readManifest(manifest(), 'm')
    const found = variants.map(({ name, files, bytes }) => [name, files.map(({ path }) => path), bytes])
    expect(found).toEqual([
      ['fp32', ['encoder.onnx', 'decoder_init.onnx', 'decoder_step.onnx', 'config.json'], 30],
      ['int4', ['encoder.int4.onnx', 'decoder.int4.onnx', 'config.json'], 20],
    ])
  })

  it('is nothing where no file is of a variant', () => {
    expect(() => readManifest(manifest({ files: [] }), 'm')).toThrow('m lists no file of a variant.')
  })
})

it('quantities are written as people read them', () => {
  expect([0, 999, 1000, 12_345, 3_520_000, 1_050_000_000].map(bytesText)).toEqual([
    ...['0 B', '999 B', '1.00 kB', '12.3 kB', '3.52 MB', '1.05 GB'],
  ])
  expect([0, 59.9, 61, 3723].map(clockText)).toEqual(['0:00', '0:59', '1:01', '1:02:03'])
  expect([0.2, 59, 100, 7200].map(spanText)).toEqual(['1 s', '59 s', '2 min', '2.0 h'])
})

describe('the variant that is offered first', () => {
  const gpu = { prefers: gpuPrefers(false), widensBlocks: false } as unknown as Device
  const gpuWithHalves = { ...gpu, prefers: gpuPrefers(true) }
  const processor = { prefers: ['int8', 'compact', 'int4'], widensBlocks: true } as unknown as Device

  it('is the one that runs best on the device, or what the address names', () => {
    expect(preferredVariant(['fp32', 'int4', 'int8'], processor, null)).toBe('int8')
    expect(preferredVariant(['fp32', 'int4', 'int8'], gpu, null)).toBe('int4')
    expect(preferredVariant(['fp32', 'int4', 'int8'], gpu, 'fp32')).toBe('fp32')
    expect(preferredVariant(['fp32', 'other'], gpu, 'none')).toBe('fp32')
  })

  it('is fp16 where the adapter computes in float16, unless a smaller one was made for pages', () => {
    const names = ['fp32', 'int4', 'fp16']
    expect(preferredVariant(names, gpu, null)).toBe('int4')
    expect(preferredVariant(names, gpuWithHalves, null)).toBe('fp16')
    expect(preferredVariant([...names, 'compact'], gpuWithHalves, null)).toBe('compact')
    expect(preferredVariant(names, processor, null)).toBe('int4')
  })

  it('comes with a warning where weights in blocks are slow', () => {
    expect(variantNote('int4', ['int4', 'int8'], processor)).toMatch(/^Slow on the processor: .* int8 takes/)
    expect(variantNote('int4', ['int4'], processor)).not.toContain('int8')
    expect(variantNote('int8', ['int8'], processor)).toBe('')
    expect(variantNote('int4', ['int4'], gpu)).toBe('')
  })
})
