// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { FP32, graphFile, LAYOUTS } from '../../eval/runtime/graphs.ts'
import { rewriteInPlace } from '../../graph-tools/apply.ts'
import { addAlignment, type Head } from '../../graph-tools/attention.ts'
import { openModel } from '../../graph-tools/model.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { CALIBRATION_SPEECH, type KnownModel, MODELS } from '../models.ts'
import type { Emit } from '../shared/events.ts'
import type { Alignment } from './alignment-file.ts'
import { hearClips } from './attention-run.ts'
import { chooseHeads } from './choose-heads.ts'
import { readSpokenClips } from './spoken-clips.ts'

/** What to align, and whom to say so. */
export interface Aligning {
  /** release directory with config.json and the FP32 graphs */
  readonly folder: string
  readonly checkpoint: Checkpoint
  readonly threads: number
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Give the fused FP32 decoder the output with which words have times: the mean attention of the heads that follow speech
 * whose words have known times. Where none does, those that are published for a model of the same sizes.
 * @returns undefined when there are none either, and the graph stays as it is
 */
export async function alignDecoder(aligning: Aligning): Promise<Alignment | undefined> {
  const { folder, checkpoint, emit } = aligning
  const found = await findHeads(aligning)
  const published = found ? undefined : publishedHeads(checkpoint)
  const heads = found?.heads ?? published
  if (!heads) {
    emit({ event: 'note', text: 'words have no times: no head of the decoder follows the bundled speech' })
    return undefined
  }
  const model = openModel(join(folder, graphFile(LAYOUTS.fused[0], FP32)))
  const { num_attention_heads: all, num_key_value_heads: keys } = checkpoint.text_config
  await rewriteInPlace([model], { edits: [addAlignment(model, heads, all / keys)] })
  const list = heads.map(({ layer, head }) => `${layer}.${head}`).join(', ')
  const evidence = found
    ? `${(100 * found.hits).toFixed(0)} % of ${found.tokens} tokens, edges of words within ${(1000 * found.error).toFixed(0)} ms`
    : 'published for this size: none follows the bundled speech'
  emit({ event: 'note', text: `words have times by the heads ${list} (${evidence})` })
  return {
    heads: heads.map(({ layer, head }) => [layer, head]),
    ...(found && { detected: figuresOf(found) }),
  }
}

async function findHeads({ folder, threads, emit, signal }: Aligning) {
  const clips = await readSpokenClips(CALIBRATION_SPEECH, signal)
  const heard = []
  for await (const clip of hearClips(folder, clips, threads)) {
    signal.throwIfAborted()
    heard.push(clip)
    const done = heard.length
    emit({ event: 'progress', what: 'heads that follow speech', done, total: clips.length, unit: 'clips' })
  }
  return chooseHeads(heard)
}

function figuresOf({ hits, tokens, error, edges }: NonNullable<Awaited<ReturnType<typeof findHeads>>>) {
  return { hits, tokens, error_ms: 1000 * error, edges }
}

function publishedHeads({ text_config: text }: Checkpoint): Head[] | undefined {
  const models: readonly KnownModel[] = Object.values(MODELS)
  const model = models.find(
    ({ shape }) =>
      shape?.decoderLayers === text.num_hidden_layers &&
      shape.decoderWidth === text.hidden_size &&
      shape.heads === text.num_attention_heads &&
      shape.kvHeads === text.num_key_value_heads,
  )
  return model?.alignmentHeads?.map(([layer, head]) => ({ layer, head }))
}
