// SPDX-License-Identifier: Apache-2.0

import { describeMachine } from '../../eval/machine.ts'
import { loadAligner, releaseAligner } from '../../eval/runtime/aligner/aligner.ts'
import { providerOf } from '../../eval/runtime/providers.ts'
import { compareSlots, type SlotComparison } from '../../eval/slot-parity.ts'
import { readSlotIndex, readSlotReference } from '../../eval/slot-reference.ts'
import { fingerprintVariants } from '../evaluate/fingerprint.ts'
import type { Finding, WaySlots } from '../gates/gate.ts'
import { gatesOf } from '../gates.ts'
import { dumpSlotReference, type SlotReferenceClip } from '../python/dump-reference.ts'
import { type GateResult, gateResult, verdictOf, wayName } from '../release/gate-result.ts'
import { writeSection } from '../release/report-sections.ts'
import { Failure } from '../shared/failure.ts'
import { checkpointFile } from '../shared/paths.ts'
import { gateLimitsOf, waysOf } from '../variants.ts'
import { pythonOptions } from './export-stage.ts'
import { speechClips } from './parity-clips.ts'
import type { Run } from './stage.ts'
import { reportGates, requirePass } from './validation-report.ts'

/** Texts that are hard to cut into units, by a name; they are said by no recording. */
const ODD_TEXTS: Readonly<Record<string, { readonly text: string; readonly language?: string }>> = {
  numbers: { text: 'In 1984, 3.5 % of £2,000 at 10:30 p.m. (U.S.A.)' },
  apostrophes: { text: "Don't ‘quote’ the rock'n'roll — it’s l’été, naïve Straße!", language: 'English' },
  chinese: { text: '你好，世界！我用 iPhone15 拍照。', language: 'Chinese' },
  mixed: { text: 'Сегодня 天气 good, 3只猫 и ещё…' },
  korean: { text: '안녕하세요, 반갑습니다.' },
  rightToLeft: { text: 'He said שלום עולם, then مرحبا 123.' },
  punctuation: { text: '¿Qué? «Nada», -- ... (¡no!)', language: 'Spanish' },
}

/**
 * Gates of a forced aligner: onnxruntime-node on the rewritten release against transformers' model and processor on the
 * checkpoint.
 * @param folder for what PyTorch computes
 */
export async function validateAligner(run: Run, folder: string): Promise<void> {
  const clips = await spokenTexts()
  await dumpSlotReference(clips, folder, {
    checkpointFile: checkpointFile(run.paths.work),
    model: run.paths.model,
    python: await pythonOptions(run, 'validate'),
  })
  const fingerprints = await fingerprintVariants(run.paths, run.options.variants)
  const gates: GateResult[] = []
  const comparisons: object[] = []
  for (const provider of run.options.providers) {
    for (const variant of run.options.variants) {
      const measured = await measureVariant(run, clips, folder, variant, provider)
      const own = { [variant]: fingerprints[variant] ?? '' }
      const findings = judge(measured, variant, provider)
      gates.push(...findings.map((finding) => gateResult(finding, variant, provider, own)))
      for (const { way, clips: compared } of measured)
        comparisons.push(...compared.map((comparison) => ({ variant, provider, ...way, ...comparison })))
    }
  }
  const { versions } = await readSlotIndex(folder)
  const machine = describeMachine(run.options.threads)
  const result = { verdict: verdictOf(gates), gates, reference: versions, machine, comparisons }
  await writeSection(run.paths, 'parity', result)
  reportGates(run, gates, versions)
  requirePass(gates)
}

interface SpokenText extends SlotReferenceClip {
  /** said as it stands, in the whole recording */
  readonly isUtterance: boolean
}

/** The bundled utterances and cuts of odd lengths with what is said, and one utterance with odd texts. */
async function spokenTexts(): Promise<SpokenText[]> {
  const clips = await speechClips()
  const { samples = new Float32Array() } = clips.find(({ isUtterance }) => isUtterance) ?? {}
  return [
    ...clips,
    ...Object.entries(ODD_TEXTS).map(([name, odd]) => ({
      ...{ id: `text-${name}`, samples, isUtterance: false },
      ...odd,
    })),
  ]
}

/** Each way through a variant is loaded once, and compared on all clips. */
async function measureVariant(
  run: Run,
  clips: readonly SpokenText[],
  folder: string,
  variant: string,
  provider: string,
): Promise<WaySlots[]> {
  const measured: WaySlots[] = []
  for (const way of waysOf(variant, providerOf(provider), run.options)) {
    const { threads } = run.options
    const aligner = await loadAligner(run.paths.model, { variant, provider, threads, prefill: way.prefill })
    try {
      const compared: SlotComparison[] = []
      for await (const clip of withReferences(run, clips, folder, `${variant}, ${wayName(way)}`))
        compared.push(await compareSlots(aligner, clip))
      measured.push({ way, clips: compared })
    } finally {
      await releaseAligner(aligner)
    }
  }
  return measured
}

/** Each clip with what PyTorch made of it, one in memory at a time. */
async function* withReferences(run: Run, clips: readonly SpokenText[], folder: string, what: string) {
  const { clips: entries } = await readSlotIndex(folder)
  for (const [i, clip] of clips.entries()) {
    run.signal.throwIfAborted()
    const entry = entries.find(({ id }) => id === clip.id)
    if (!entry) throw new Failure(`python/aligner_reference.py left out the clip ${clip.id}.`)
    yield { ...clip, reference: await readSlotReference(folder, entry) }
    run.emit({ event: 'progress', what, done: i + 1, total: clips.length, unit: 'clips' })
  }
}

function judge(measured: readonly WaySlots[], variant: string, provider: string): Finding[] {
  const { tolerance } = providerOf(provider)
  return gatesOf(gateLimitsOf(variant, 'aligner') ?? {}).flatMap(([gate, limits]) =>
    gate.kind === 'slots' ? gate.judge(measured, limits, tolerance) : [],
  )
}
