// SPDX-License-Identifier: Apache-2.0

import type { AudioBlock, Decoded } from './audio-block.ts'
import type { ByteReader } from './byte-reader.ts'
import { pcmReader } from './pcm.ts'
import { WAV_TAG } from './wav-header.ts'

const CHUNK = 1 << 15

/** Samples without a header: 16 bits, little-endian, one channel. */
export async function decodeRaw(reader: ByteReader, sampleRate: number): Promise<Decoded> {
  return { isFloat: false, blocks: samples(reader, sampleRate) }
}

async function* samples(reader: ByteReader, sampleRate: number): AsyncGenerator<AudioBlock> {
  const { split } = pcmReader({ tag: WAV_TAG.pcm, channels: 1, sampleRate, bits: 16, blockAlign: 2 })
  for (let bytes = await reader.take(CHUNK); bytes.length > 0; bytes = await reader.take(CHUNK)) {
    yield { sampleRate, channels: split(bytes) }
  }
}
