// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describeMachine } from '../../eval/machine.ts'
import { readReference, readReferenceIndex } from '../../eval/reference.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import { MAX_NEW_TOKENS } from '../../eval/runtime/limits.ts'
import { providerOf } from '../../eval/runtime/providers.ts'
import { identifySources } from '../../eval/sources.ts'
import { fingerprintFiles, fingerprintVariants, variantFilesOf } from '../evaluate/fingerprint.ts'
import type { ParityClip } from '../gates/gate.ts'
import { clipFidelities, type Followed, fidelitiesOf } from '../lab/fidelity.ts'
import { measureVariant } from '../lab/measure-gates.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import { dumpReference } from '../python/dump-reference.ts'
import type { Fidelity } from '../release/fidelity-schema.ts'
import { FIDELITY_COLUMNS, fidelityRows } from '../release/fidelity-table.ts'
import { gateResult, verdictOf } from '../release/gate-result.ts'
import { sectionFile, writeSection } from '../release/report-sections.ts'
import { Failure } from '../shared/failure.ts'
import { freshFolder } from '../shared/output-files.ts'
import { checkpointFile } from '../shared/paths.ts'
import { BASELINE, rowOf, waysOf } from '../variants.ts'
import { compareDevices } from './compare-devices.ts'
import { pythonOptions } from './export-stage.ts'
import { type KeptPasses, keptPasses } from './kept-passes.ts'
import { mergeOwnWeights, weightInputs } from './own-weights.ts'
import { type SpeechClip, speechClips } from './parity-clips.ts'
import type { Run, Stage } from './stage.ts'
import { identifyFolder } from './stamp.ts'
import { validateAligner } from './validate-aligner.ts'
import { reportGates, requirePass } from './validation-report.ts'

/** Every step's logits are compared, up to this many bytes a clip: all of them, except endless ones of large models. */
const LOGIT_BYTES = 64e6

/** Parity gates: onnxruntime-node on the rewritten release against PyTorch on the checkpoint. */
export const validateStage: Stage = {
  name: 'validate',
  async inputs({ options: { variants, providers } }) {
    return {
      node: process.versions.node,
      speech: await identifyFolder(BUNDLED_SPEECH),
      options: { variants, providers },
    }
  },
  outputs: ({ paths }) => [sectionFile(paths, 'parity')],
  async run(run) {
    const folder = join(run.paths.work, 'validate')
    await freshFolder(folder)
    await mergeOwnWeights(run)
    await VALIDATIONS[run.options.family](run, folder)
    await rm(folder, { recursive: true }) // gigabytes for a large vocabulary; a failed gate keeps them
  },
}

const VALIDATIONS: Readonly<Record<Family, (run: Run, folder: string) => Promise<void>>> = {
  asr: validateRecognition,
  aligner: validateAligner,
}

/** @param folder for what PyTorch computes */
async function validateRecognition(run: Run, folder: string): Promise<void> {
  const fingerprints = await fingerprintVariants(run.paths, run.options.variants)
  const kept = await passesOf(run)
  const compared = await compareDevices(run, fingerprints, kept) // before PyTorch works for what is not there
  const clips = await speechClips()
  let dumped: Promise<void> | undefined
  let reference: Readonly<Record<string, string>> = {}
  const gates = [...compared.gates]
  const comparisons: object[] = []
  const followed: Followed[] = []
  for (const provider of run.options.providers) {
    for (const variant of run.options.variants) {
      if (compared.hasFailed(provider, variant)) continue // it would end this process too
      const own = { [variant]: fingerprints[variant] ?? '' }
      const device = compared.devices.find((one) => one.provider === provider) ?? {}
      const measured = await kept.pass({ variant, provider, own, device }, async () => {
        dumped ??= dumpClips(run, clips, folder)
        await dumped
        const { versions } = await readReferenceIndex(folder)
        const found = await measureVariant({
          ...{ folder: run.paths.model, variant, provider, threads: run.options.threads },
          ways: waysOf(variant, providerOf(provider), run.options),
          gates: rowOf(variant).gates,
          clips: (what) => references(run, clips, folder, what),
        })
        return { ...found, versions }
      })
      reference = measured.versions
      gates.push(...measured.findings.map((finding) => gateResult(finding, variant, provider, own)))
      comparisons.push(...measured.comparisons.map((comparison) => ({ variant, provider, ...comparison })))
      const { bytes } = await variantFilesOf(run.paths.model, variant)
      followed.push({ variant, provider, bytes, measured: measured.usual })
    }
  }
  const machine = describeMachine(run.options.threads)
  const fidelity = fidelitiesOf(followed, BASELINE)
  const utterances = followed.map(({ variant, provider, measured: { clips } }) => ({
    ...{ variant, provider, clips: clipFidelities(clips) },
  }))
  await writeSection(run.paths, 'parity', {
    ...{
      verdict: verdictOf(gates),
      gates,
      devices: compared.devices,
      fidelity,
      reference,
      machine,
      comparisons,
      utterances,
    },
  })
  await kept.end()
  reportGates(run, gates, reference)
  reportFidelity(run, fidelity)
  requirePass(gates)
}

/**
 * A pass takes minutes, with a large model or on a slow device. Those that have ended serve a run after an interruption, and one
 * with another variant, unless anything that decides them has changed.
 */
async function passesOf(run: Run): Promise<KeptPasses> {
  const { threads, force, prefillInt8 } = run.options
  const kept = keptPasses(join(run.paths.work, 'validate-passes'), {
    ...{ threads, prefillInt8, machine: describeMachine(threads), python: (await run.python()).fingerprint },
    reference: await fingerprintFiles([checkpointFile(run.paths.work)], run.paths.work),
    weights: await weightInputs(run), // what PyTorch computes with
    speech: await identifyFolder(BUNDLED_SPEECH),
    code: await identifySources(['pipeline/stages/validate-stage.ts']),
  })
  if (force) await kept.clear()
  return kept
}

async function dumpClips(run: Run, clips: readonly SpeechClip[], folder: string): Promise<void> {
  const steps = Math.floor(LOGIT_BYTES / (4 * run.checkpoint.text_config.vocab_size))
  await dumpReference(
    clips.map(({ id, samples }) => ({ id, samples, steps })),
    folder,
    {
      checkpointFile: checkpointFile(run.paths.work),
      model: run.paths.model,
      maxNewTokens: MAX_NEW_TOKENS,
      python: await pythonOptions(run, 'validate'),
    },
  )
}

/** Each clip with what PyTorch made of it, one in memory at a time. */
async function* references(
  run: Run,
  clips: readonly SpeechClip[],
  folder: string,
  what: string,
): AsyncGenerator<ParityClip> {
  const { clips: entries } = await readReferenceIndex(folder)
  for (const [i, clip] of clips.entries()) {
    run.signal.throwIfAborted()
    const entry = entries.find(({ id }) => id === clip.id)
    if (!entry) throw new Failure(`python/reference.py left out the clip ${clip.id}.`)
    yield { ...clip, reference: await readReference(folder, entry) }
    run.emit({ event: 'progress', what, done: i + 1, total: clips.length, unit: 'clips' })
  }
}

function reportFidelity(run: Run, fidelity: readonly Fidelity[]): void {
  const title = `Fidelity to FP32 on ${fidelity[0]?.clips} utterances (KLD in nats, ratio to that of ${BASELINE}, 95 % intervals)`
  run.emit({ event: 'table', title, columns: FIDELITY_COLUMNS, rows: fidelityRows(fidelity) })
}
