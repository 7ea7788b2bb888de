// SPDX-License-Identifier: Apache-2.0

import { startSha256 } from '../platform/host.ts'

/**
 * Identifies a recording by its samples, whatever file or dataset it is from: SHA-256 of its 16 kHz mono float32
 * samples, as little-endian bytes.
 */
export async function hashSamples(samples: Float32Array): Promise<string> {
  const hash = await makeSampleHash()
  hash.add(samples)
  return hash.digest()
}

/** The same of samples that come in parts, in their order. */
export async function makeSampleHash() {
  const hash = await startSha256()
  return {
    add: ({ buffer, byteOffset, byteLength }: Float32Array) =>
      hash.add(new Uint8Array(buffer, byteOffset, byteLength)),
    digest: () => hash.digest(),
  }
}
