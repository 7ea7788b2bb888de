// SPDX-License-Identifier: Apache-2.0

import {
  type Check,
  type Comparison,
  compareClip,
  compareDecoder,
  compareTokens,
  type Look,
  MEL_TOLERANCE,
} from '../../eval/parity.ts'
import type { Reference } from '../../eval/reference.ts'
import type { Layout } from '../../eval/runtime/graphs.ts'
import type { Recognizer } from '../../eval/runtime/recognizer.ts'
import type { ClipsGate, Figure, ParityClip, Tolerance } from './gate.ts'

/** Clips that are decoded together, of whatever lengths. */
const BATCH = 4

/** Everything that must be as PyTorch computes it: of the fused layout, alone and in batches, and of the split one. */
export const parity: ClipsGate = {
  kind: 'clips',
  about: 'the largest absolute difference from PyTorch, or the number of ids and tokens that differ',
  figures: (ways, _, tolerance) =>
    ways
      .filter(({ prefill }) => prefill === 'same')
      .flatMap((way) =>
        checksOf(way.layout, tolerance).map(
          ([gate, limit]): Figure => ({ ...way, gate, unit: limit === 0 ? 'count' : 'number', limit }),
        ),
      ),
  async measure(recognizer, { layout }, clips, tolerance, lookAt) {
    if (layout === 'split') return compareDecoders(recognizer, 'split', clips, tolerance)
    return [
      ...(await compareAll(recognizer, clips, tolerance, lookAt)),
      ...(await compareDecoders(recognizer, 'batched', clips, tolerance)),
    ]
  },
}

function checksOf(layout: Layout, { features, logits }: Tolerance): [Check, number][] {
  if (layout === 'split')
    return [
      ['split logits', logits],
      ['split tokens', 0],
    ]
  return [
    ['mel', MEL_TOLERANCE],
    ['features', features],
    ['prompt ids', 0],
    ['prefill logits', logits],
    ['step logits', logits],
    ['greedy tokens', 0],
    ['batched logits', logits],
    ['batched tokens', 0],
  ]
}

async function compareAll(
  recognizer: Recognizer,
  clips: (what: string) => AsyncIterable<ParityClip>,
  tolerance: Tolerance,
  lookAt: (clip: ParityClip) => Look,
): Promise<Comparison[]> {
  const out: Comparison[] = []
  for await (const clip of clips('parity')) {
    const { samples, reference, isUtterance } = clip
    out.push(...(await compareClip(recognizer, samples, reference, tolerance, lookAt(clip))))
    if (isUtterance) out.push(await compareTokens(recognizer, samples, reference))
  }
  return out
}

async function compareDecoders(
  recognizer: Recognizer,
  name: 'batched' | 'split',
  clips: (what: string) => AsyncIterable<ParityClip>,
  tolerance: Tolerance,
): Promise<Comparison[]> {
  const out: Comparison[] = []
  const size = name === 'batched' ? BATCH : 1
  let batch: Reference[] = []
  const compare = async () => {
    if (batch.length > 0) out.push(...(await compareDecoder(recognizer, name, batch, tolerance)))
    batch = []
  }
  for await (const { reference } of clips(`parity, ${name}`)) {
    batch.push(reference)
    if (batch.length === size) await compare()
  }
  await compare()
  return out
}
