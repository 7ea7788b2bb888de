// SPDX-License-Identifier: Apache-2.0

import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { argmax } from '../../eval/runtime/decoder.ts'
import { loadRecognizer, promptOf, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { bundledClips } from '../../pipeline/providers/bundled-clips.ts'
import { encodePiece, type Features, hearPiece } from '../../pipeline/providers/hear-piece.ts'

/*
 * FOLDER PROVIDER VARIANT...: the bundled clips for which a provider, on its own features, does not choose the processor's token at every
 * position, as JSON by variant. One run decides about all positions of a clip; the variants have one encoder, which runs once a clip.
 */

const [folder = '', provider = '', ...variants] = process.argv.slice(2)
const clips = await bundledClips()
const known: Features[] = []
const other: Record<string, { clips: number; tokens: number; changed: string[] }> = {}
for (const variant of variants) {
  const common = { variant, threads: 1, prefill: 'same' } as const
  const [wanted, found] = [
    await loadRecognizer(folder, { ...common, provider: 'cpu' }),
    await loadRecognizer(folder, { ...common, provider }),
  ]
  const changed: string[] = []
  let all = 0
  for (const [i, { id, file }] of clips.entries()) {
    const { samples } = await loadClip(file)
    const { tokens } = await hearPiece(wanted, await encodePiece(wanted, samples), samples.length / 16000)
    const own = known[i] ?? (await encodePiece(found, samples))
    known[i] = own
    const { features } = own
    const logits = await found.decoder.prefill([{ prompt: promptOf(found, features), features }], tokens)
    const chosen = Array.from({ length: tokens.length + 1 }, (_, row) =>
      argmax(logits, row, found.config.vocabSize),
    )
    found.decoder.clear()
    const isSame = tokens.every((token, at) => token === chosen[at])
    if (!isSame || !found.config.endIds.includes(chosen[tokens.length] as number)) changed.push(id)
    all += chosen.length
  }
  other[variant] = { clips: clips.length, tokens: all, changed }
  await releaseRecognizer(wanted)
  await releaseRecognizer(found)
}
process.stdout.write(JSON.stringify(other))
