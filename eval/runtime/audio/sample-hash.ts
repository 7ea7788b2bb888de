import { createHash } from 'node:crypto'

/**
 * Identifies a recording by what is heard of it, whatever file or dataset it is from: SHA-256 of its 16 kHz mono float32
 * samples, as little-endian bytes.
 */
export function hashSamples(samples: Float32Array): string {
  const hash = makeSampleHash()
  hash.add(samples)
  return hash.digest()
}

/** The same of samples that come in parts, in their order. */
export function makeSampleHash() {
  const hash = createHash('sha256')
  return {
    add: ({ buffer, byteOffset, byteLength }: Float32Array) =>
      void hash.update(new Uint8Array(buffer, byteOffset, byteLength)),
    digest: () => hash.digest('hex'),
  }
}
