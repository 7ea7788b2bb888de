import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readSpeechFolder } from '../../eval/dataset/folder-dataset.ts'
import { describeMachine } from '../../eval/machine.ts'
import { readReference, readReferenceIndex } from '../../eval/reference.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { MAX_NEW_TOKENS } from '../../eval/runtime/limits.ts'
import { providerOf } from '../../eval/runtime/providers.ts'
import { fingerprintVariants, variantFilesOf } from '../evaluate/fingerprint.ts'
import type { ParityClip } from '../gates/gate.ts'
import { clipFidelities, type Followed, fidelitiesOf } from '../lab/fidelity.ts'
import { measureVariant } from '../lab/measure-gates.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import { dumpReference } from '../python/dump-reference.ts'
import type { Fidelity } from '../release/fidelity-schema.ts'
import { FIDELITY_COLUMNS, fidelityRows } from '../release/fidelity-table.ts'
import { foundOf, type GateResult, gateResult, nameOf, verdictOf } from '../release/gate-result.ts'
import { GATE_COLUMNS, gateRows } from '../release/gate-table.ts'
import { sectionFile, writeSection } from '../release/report-sections.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { freshFolder } from '../shared/output-files.ts'
import { checkpointFile } from '../shared/paths.ts'
import { BASELINE, rowOf, waysOf } from '../variants.ts'
import { pythonOptions } from './export-stage.ts'
import type { Run, Stage } from './stage.ts'
import { identifyFolder } from './stamp.ts'

/** Around the window sizes: the half-second minimum, one chunk of 1 s, one attention window of 8 s, four windows. */
const STRADDLING_SECONDS = [0.1, 0.99, 1.0, 1.01, 7.99, 8.01, 31]
/** Every step's logits are compared, up to this many bytes a clip: all of them but for endless ones of large models. */
const LOGIT_BYTES = 64e6
/** Longer clips are compared up to their features and logits, not by tokens. */
const TOKENS_BELOW_SECONDS = 30

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
    const clips = await spokenClips()
    await dumpClips(run, clips, folder)
    const { versions } = await readReferenceIndex(folder)
    const fingerprints = await fingerprintVariants(run.paths, run.options.variants)
    const gates: GateResult[] = []
    const comparisons: object[] = []
    const followed: Followed[] = []
    for (const provider of run.options.providers) {
      for (const variant of run.options.variants) {
        const measured = await measureVariant({
          ...{ folder: run.paths.model, variant, provider, threads: run.options.threads },
          ways: waysOf(variant, providerOf(provider), run.options),
          gates: rowOf(variant).gates,
          clips: (what) => references(run, clips, folder, what),
        })
        const own = { [variant]: fingerprints[variant] ?? '' }
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
        fidelity,
        reference: versions,
        machine,
        comparisons,
        utterances,
      },
    })
    report(run, gates, versions)
    reportFidelity(run, fidelity)
    requirePass(gates)
    await rm(folder, { recursive: true }) // gigabytes for a large vocabulary; a failed gate keeps them
  },
}

interface SpokenClip {
  readonly id: string
  readonly samples: Float32Array
  readonly isUtterance: boolean
}

/** The bundled utterances, and cuts of them joined to the straddling lengths. */
async function spokenClips(): Promise<SpokenClip[]> {
  const utterances = await readSpeechFolder(BUNDLED_SPEECH)
  const clips: SpokenClip[] = []
  for (const { id, path, problem } of utterances) {
    if (path === undefined) throw new Failure(problem ?? `The recording ${id} is missing.`)
    clips.push({ id, samples: (await loadClip(path)).samples, isUtterance: true })
  }
  const joined = Float32Array.from(clips.flatMap(({ samples }) => [...samples]))
  const cuts = STRADDLING_SECONDS.map((seconds): SpokenClip => {
    const samples = joined.slice(0, Math.round(seconds * SAMPLE_RATE))
    return { id: `cut-${seconds.toFixed(2)}-s`, samples, isUtterance: false }
  })
  return [...cuts, ...clips.filter(({ samples }) => samples.length < TOKENS_BELOW_SECONDS * SAMPLE_RATE)]
}

async function dumpClips(run: Run, clips: readonly SpokenClip[], folder: string): Promise<void> {
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
  clips: readonly SpokenClip[],
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

function report(run: Run, gates: readonly GateResult[], versions: Readonly<Record<string, string>>): void {
  const python = Object.entries(versions).map((pair) => pair.join(' '))
  const title = `Parity with PyTorch (${python.join(', ')}): ${verdictOf(gates)}`
  run.emit({ event: 'table', title, columns: GATE_COLUMNS, rows: gateRows(gates) })
}

function reportFidelity(run: Run, fidelity: readonly Fidelity[]): void {
  const title = `Fidelity to FP32 on ${fidelity[0]?.clips} utterances (KLD in nats, ratio to that of ${BASELINE}, 95 % intervals)`
  run.emit({ event: 'table', title, columns: FIDELITY_COLUMNS, rows: fidelityRows(fidelity) })
}

/** @throws Failure with the gate's exit code for the first result that does not pass */
function requirePass(gates: readonly GateResult[]): void {
  const failed = gates.filter(({ pass }) => !pass)
  const [first] = [...failed.filter(({ problem }) => problem !== undefined), ...failed]
  if (!first) return
  const wanted = first.problem === undefined ? `, wanted at most ${first.limit}` : '; wanted finite numbers'
  const clip = first.worstClip === undefined ? '' : `, clip ${first.worstClip}`
  throw new Failure(
    `The parity gate failed: ${failed.length} of ${gates.length} results, first ${nameOf(first)}${clip}: ${foundOf(first)}${wanted}.`,
    `All comparisons are in report.json. Nothing was packaged.${hintFor(first)}`,
    EXIT.gate,
  )
}

/** A way of prompts can be left out; a variant cannot pass without its weights. */
function hintFor({ prefill }: GateResult): string {
  return prefill === 'int8' ? ' --no-prefill-int8 leaves the prompts in 8 bits out.' : ''
}
