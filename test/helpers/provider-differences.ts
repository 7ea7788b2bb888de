// SPDX-License-Identifier: Apache-2.0

import { differenceOf } from '../../eval/difference.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import { recognize } from '../../eval/runtime/recognize.ts'
import { encode, loadRecognizer, promptOf, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import type { SpeechError } from '../../eval/runtime/speech-error.ts'

/* FOLDER VARIANT PROVIDER CLIP: how far a provider is from the processor, and why it refuses the split layout, as JSON. */

const [folder = '', variant = '', provider = '', file = ''] = process.argv.slice(2)
const { samples } = await loadClip(file)
const [wanted, found] = [await compute('cpu'), await compute(provider)]
const names = { found: provider, wanted: 'cpu' }
const [features, logits] = [
  differenceOf(found.features, wanted.features, names),
  differenceOf(found.logits, wanted.logits, names),
]
console.log(
  JSON.stringify({
    ...{ features: features.worst, logits: logits.worst },
    ...{ prefill: found.prefill, texts: [wanted.text, found.text] },
    split: await splitRefusal(),
  }),
)

async function splitRefusal() {
  const recognizer = await loadRecognizer(folder, { variant, provider, layout: 'split', threads: 1 })
  try {
    await recognize(recognizer, samples, {})
    return undefined
  } catch (error) {
    const { message, hint } = error as SpeechError
    return { message, hint }
  } finally {
    await releaseRecognizer(recognizer)
  }
}

async function compute(provider: string) {
  const recognizer = await loadRecognizer(folder, { variant, provider, threads: 1 })
  const features = await encode(recognizer, logMel(samples))
  const prompt = promptOf(recognizer, features)
  const logits = (await recognizer.decoder.prefill([{ prompt, features }])).slice()
  recognizer.decoder.clear()
  const { text } = await recognize(recognizer, samples, {})
  const { prefillKind: prefill } = recognizer.decoder
  await releaseRecognizer(recognizer)
  return { features, logits, text, prefill }
}
