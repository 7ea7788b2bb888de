// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { decoderData } from '../../eval/runtime/graphs.ts'
import { fingerprintVariants } from '../../pipeline/evaluate/fingerprint.ts'
import { openJudgedClips } from '../../pipeline/lab/judged-clips.ts'
import { measureVariant } from '../../pipeline/lab/measure-gates.ts'
import { onnxReference, referenceClips } from '../../pipeline/lab/onnx-reference.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { quantizeVariant } from '../../pipeline/quantize/quantize-variant.ts'
import type { Recipe } from '../../pipeline/recipe-schema.ts'
import { gateResult } from '../../pipeline/release/gate-result.ts'
import { rowOf } from '../../pipeline/variants.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { stagePython } from '../helpers/prepared.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

it("int4's gate of divergence passes its own weights, and refuses those of a recipe that loses too much", async () => {
  const model = await copyTinyRelease()
  const { signal } = new AbortController()
  const work = join(model, '.work')
  const judged = await openJudgedClips({ work }, { speech: BUNDLED_SPEECH, nSamples: 10 }, signal)
  const { fp32 = '' } = await fingerprintVariants({ model, work }, ['fp32'])
  const references = await temporaryFolder()
  const common = { threads: 1, emit: () => undefined, signal }
  const reference = await onnxReference(judged, { model, references, fp32, ...common })
  const judge = async () => {
    const { findings } = await measureVariant({
      ...{ folder: model, variant: 'int4', provider: 'cpu', threads: 1, gates: { kld: kldOfInt4() } },
      ways: [{ layout: 'fused', prefill: 'same' }],
      clips: () => referenceClips(judged, reference, signal),
    })
    return findings.map((finding) => {
      const { gate, pass } = gateResult(finding, 'int4', 'cpu', {})
      return { gate, isOver: finding.found > (finding.limit ?? Number.NaN), pass }
    })
  }
  const right = ['kld mean', 'kld p99'].map((gate) => ({ gate, isOver: false, pass: true }))
  expect(await judge()).toEqual(right)

  const lossy: Recipe = { decoder: [['*', 'q2b64']] }
  await rm(join(model, decoderData('int4')))
  const python = {
    python: await stagePython(),
    log: join(work, 'q2.log'),
    signal,
    onProgress: () => undefined,
  }
  const making = { from: model, to: model, work: join(work, 'quantize'), python, ...common }
  await quantizeVariant(making, 'int4', lossy, { accuracyLevel: 4, decoders: ['decoder'] })
  const wrong = ['kld mean', 'kld p99'].map((gate) => ({ gate, isOver: true, pass: false }))
  expect(await judge()).toEqual(wrong)
})

function kldOfInt4() {
  const { kld } = rowOf('int4').gates
  if (kld === undefined) throw new Error('int4 has no gate of divergence')
  return kld
}
