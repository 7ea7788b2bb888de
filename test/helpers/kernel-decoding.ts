// SPDX-License-Identifier: Apache-2.0

import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { argmax } from '../../eval/runtime/decoder.ts'
import type { Layout, PrefillKind } from '../../eval/runtime/graphs.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import {
  encode,
  loadRecognizer,
  promptOf,
  type Recognizer,
  releaseRecognizer,
} from '../../eval/runtime/recognizer.ts'
import { probeAdding } from '../../scripts/integer-products.ts'
import { jobOf } from './kernel-job.ts'

/*
 * A process of its own: logits of releases with the kernels that this process has. The job: paths through variants, and clips, each
 * with tokens to be led along where another process has written them.
 */

export interface DecodingJob {
  readonly folder: string
  readonly paths: readonly {
    readonly variant: string
    readonly layout: Layout
    readonly prefill: PrefillKind
  }[]
  readonly clips: readonly string[]
  /** for each path and clip what another process answered; none: greedy */
  readonly along?: readonly (readonly Decoded[])[]
}

export interface Decoded {
  /** the largest logit's at each position, end token included */
  readonly tokens: readonly number[]
  /** float32 [positions, V] in base64 */
  readonly logits: string
}

const { folder, paths, clips, along } = await jobOf<DecodingJob>()
const decoded: Decoded[][] = []
for (const [i, { variant, ...way }] of paths.entries()) {
  const recognizer = await loadRecognizer(folder, { variant, ...way, threads: 1, isSteady: true })
  const own: Decoded[] = []
  for (const [j, clip] of clips.entries()) own.push(await decode(recognizer, clip, along?.[i]?.[j]?.tokens))
  decoded.push(own)
  await releaseRecognizer(recognizer)
}
console.log(JSON.stringify({ adding: await probeAdding(), decoded }))

async function decode(
  recognizer: Recognizer,
  clip: string,
  led: readonly number[] | undefined,
): Promise<Decoded> {
  const { decoder, config } = recognizer
  const features = await encode(recognizer, logMel((await loadClip(clip)).samples))
  const prompt = promptOf(recognizer, features)
  const rows: Float32Array[] = []
  const tokens: number[] = []
  let logits = await decoder.prefill([{ prompt, features }])
  for (;;) {
    rows.push(logits.slice())
    tokens.push(argmax(logits))
    const next = led?.[tokens.length - 1] ?? (tokens.at(-1) as number)
    if (led ? tokens.length === led.length : config.endIds.includes(next)) break
    logits = await decoder.step([next])
  }
  decoder.clear()
  return { tokens, logits: Buffer.concat(rows.map((row) => new Uint8Array(row.buffer))).toString('base64') }
}
