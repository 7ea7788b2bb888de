// SPDX-License-Identifier: Apache-2.0

/* Which variant a page offers first on a device. */

/** What can run a model here. */
export interface Device {
  /** of the runtime */
  readonly provider: 'cpu' | 'webgpu'
  readonly name: string
  /** what is to be known before it is chosen */
  readonly about: string
  readonly threads: number
  /** variants by how well they run on it, the best first; others come last */
  readonly prefers: readonly string[]
  /** whether weights in blocks of 4 or 8 bits are made floats again for every token (MatMulNBits has no kernel for it) */
  readonly widensBlocks: boolean
}

/** Variants whose decoder's weights are not in blocks. */
const WITHOUT_BLOCKS = ['int8', 'fp32', 'fp16']

/**
 * Variants by how well they run by WebGPU. `compact` is made to be fetched by pages, a third of the bytes of `fp16`,
 * and its weights in blocks have their own kernels. Else an adapter that computes in float16 takes the weights as
 * they are.
 */
export function gpuPrefers(hasHalves: boolean): readonly string[] {
  return ['compact', ...(hasHalves ? ['fp16'] : []), 'int4', 'int4-fast', 'int4-hq']
}

/** The variant of these to offer first on a device. @param wanted named in the address */
export function preferredVariant(
  names: readonly string[],
  { prefers }: Device,
  wanted: string | null,
): string {
  return [wanted ?? '', ...prefers].find((name) => names.includes(name)) ?? names[0] ?? ''
}

/** What is to be known of a variant on a device; '' where nothing is. */
export function variantNote(variant: string, names: readonly string[], { widensBlocks }: Device): string {
  if (!widensBlocks || WITHOUT_BLOCKS.includes(variant)) return ''
  const quicker = names.includes('int8') ? ' int8 takes far less time.' : ''
  return `Slow on the processor: its weights are made 32-bit floats again for every token.${quicker}`
}
