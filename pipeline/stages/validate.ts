import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadClip } from '../../eval/audio/clip.ts'
import { SAMPLE_RATE } from '../../eval/audio/sample-rate.ts'
import { readSpeechFolder } from '../../eval/dataset/folder.ts'
import { MAX_NEW_TOKENS } from '../../eval/limits.ts'
import { describeMachine } from '../../eval/machine.ts'
import {
  type Agreement,
  CHECKS,
  type Comparison,
  compareClip,
  compareDecoder,
  compareTokens,
  measureAgreement,
  passes,
} from '../../eval/parity.ts'
import type { LoadOptions } from '../../eval/recognizer.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/recognizer.ts'
import { type Reference, readReference, readReferenceIndex } from '../../eval/reference.ts'
import { fingerprintVariants } from '../evaluate/fingerprint.ts'
import { EXIT, Failure } from '../failure.ts'
import { freshFolder } from '../files.ts'
import { VARIANTS } from '../layout.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import { dumpReference } from '../reference.ts'
import { sectionFile, writeSection } from '../report.ts'
import type { Run, Stage } from '../stages.ts'
import { identifyFolder } from '../stamp.ts'
import { checkpointFile, pythonOptions } from './export.ts'

/** Around the window sizes: the half-second minimum, one chunk of 1 s, one attention window of 8 s, four windows. */
const STRADDLING_SECONDS = [0.1, 0.99, 1.0, 1.01, 7.99, 8.01, 31]
/** Every step's logits are compared, up to this many bytes a clip: all of them but for endless ones of large models. */
const LOGIT_BYTES = 64e6
/** What the ways through int4 may differ by, of the mean cosine of their logits with PyTorch's. */
const MAX_INT4_PATH_LOSS = 0.005
/** Clips that are decoded together, of whatever lengths. */
const BATCH = 4
/** Longer clips are compared up to their features and logits, not by tokens. */
const TOKENS_BELOW_SECONDS = 30

/** The ways through an int4 release: the graph of the steps for prompts too, that with 8-bit products, the split graphs. */
const INT4_PATHS = {
  fused: { layout: 'fused', prefill: 'same' },
  'int8 prefill': { layout: 'fused', prefill: 'int8' },
  split: { layout: 'split' },
} as const
type Int4Path = keyof typeof INT4_PATHS

function int4Paths({ options }: Run): Int4Path[] {
  return options.prefillInt8 ? ['fused', 'int8 prefill', 'split'] : ['fused', 'split']
}

interface ParityClip {
  readonly id: string
  readonly samples: Float32Array
  readonly compares: 'stages' | 'tokens'
}

/** Parity gates: onnxruntime-node on the rewritten release against PyTorch on the checkpoint. */
export const validateStage: Stage = {
  name: 'validate',
  async inputs() {
    return {
      node: process.versions.node,
      speech: await identifyFolder(BUNDLED_SPEECH),
    }
  },
  outputs: ({ layout }) => [sectionFile(layout, 'parity')],
  async run(run) {
    const folder = join(run.layout.work, 'validate')
    await freshFolder(folder)
    const clips = await parityClips()
    const steps = Math.floor(LOGIT_BYTES / (4 * run.checkpoint.text_config.vocab_size))
    await dumpReference(
      clips.map((clip) => ({ ...clip, steps })),
      folder,
      {
        checkpointFile: checkpointFile(run.layout.work),
        model: run.layout.model,
        maxNewTokens: MAX_NEW_TOKENS,
        python: await pythonOptions(run, 'validate'),
      },
    )
    const index = await readReferenceIndex(folder)
    const compared = [
      ...(await withRecognizer(run, {}, async (recognizer) => [
        ...(await compareAll(run, recognizer, clips, folder)),
        ...(await compareDecoders(run, recognizer, 'batched', clips, folder)),
      ])),
      ...(await withRecognizer(run, { layout: 'split' }, (recognizer) =>
        compareDecoders(run, recognizer, 'split', clips, folder),
      )),
    ]
    const agreement = new Map<Int4Path, Agreement[]>()
    for (const path of int4Paths(run)) {
      const measure = (recognizer: Recognizer) => agreeAll(run, recognizer, clips, folder)
      agreement.set(path, await withRecognizer(run, { variant: 'int4', ...INT4_PATHS[path] }, measure))
    }
    const summary = {
      ...summarize(compared, agreement),
      reference: index.versions,
      machine: describeMachine(run.options.threads),
      fingerprints: await fingerprintVariants(run.layout, VARIANTS),
    }
    await writeSection(run.layout, 'parity', { ...summary, comparisons: compared })
    report(run, summary)
    const failed = compared.filter((comparison) => !passes(comparison))
    if (failed.length > 0) throw gateFailure(failed)
    gateInt4(summary.int4)
    await rm(folder, { recursive: true }) // gigabytes for a large vocabulary; a failed gate keeps them
  },
}

/** The bundled utterances, and cuts of them joined to the straddling lengths. */
async function parityClips(): Promise<ParityClip[]> {
  const utterances = await readSpeechFolder(BUNDLED_SPEECH)
  const clips: ParityClip[] = []
  for (const { id, path, problem } of utterances) {
    if (path === undefined) throw new Failure(problem ?? `The recording ${id} is missing.`)
    clips.push({ id, samples: (await loadClip(path)).samples, compares: 'tokens' })
  }
  const joined = Float32Array.from(clips.flatMap(({ samples }) => [...samples]))
  const cuts = STRADDLING_SECONDS.map((seconds): ParityClip => {
    const samples = joined.slice(0, Math.round(seconds * SAMPLE_RATE))
    return { id: `cut-${seconds.toFixed(2)}-s`, samples, compares: 'stages' }
  })
  return [...cuts, ...clips.filter(({ samples }) => samples.length < TOKENS_BELOW_SECONDS * SAMPLE_RATE)]
}

async function withRecognizer<T>(
  run: Run,
  options: Pick<LoadOptions, 'variant' | 'layout' | 'prefill'>,
  use: (recognizer: Recognizer) => Promise<T>,
): Promise<T> {
  const { model } = run.layout
  const recognizer = await loadRecognizer(model, {
    ...{ layout: 'fused', ...options },
    threads: run.options.threads,
  })
  try {
    return await use(recognizer)
  } finally {
    await releaseRecognizer(recognizer)
  }
}

async function compareAll(
  run: Run,
  recognizer: Recognizer,
  clips: readonly ParityClip[],
  folder: string,
): Promise<Comparison[]> {
  const out: Comparison[] = []
  for await (const { clip, reference } of references(run, clips, folder, 'FP32 parity')) {
    out.push(...(await compareClip(recognizer, clip.samples, reference)))
    if (clip.compares === 'tokens') {
      out.push(await compareTokens(recognizer, clip.samples, reference))
    }
  }
  return out
}

async function compareDecoders(
  run: Run,
  recognizer: Recognizer,
  name: 'batched' | 'split',
  clips: readonly ParityClip[],
  folder: string,
): Promise<Comparison[]> {
  const out: Comparison[] = []
  const size = name === 'batched' ? BATCH : 1
  let batch: Reference[] = []
  for await (const { clip, reference } of references(run, clips, folder, `FP32 parity, ${name}`)) {
    batch.push(reference)
    if (batch.length < size && clip !== clips.at(-1)) continue
    out.push(...(await compareDecoder(recognizer, name, batch)))
    batch = []
  }
  return out
}

async function agreeAll(
  run: Run,
  recognizer: Recognizer,
  clips: readonly ParityClip[],
  folder: string,
): Promise<Agreement[]> {
  const out: Agreement[] = []
  const cuts = clips.filter(({ compares }) => compares === 'stages')
  for await (const { clip, reference } of references(run, cuts, folder, 'int4 agreement')) {
    out.push(await measureAgreement(recognizer, clip.samples, reference))
  }
  return out
}

async function* references(
  run: Run,
  clips: readonly ParityClip[],
  folder: string,
  what: string,
): AsyncGenerator<{ clip: ParityClip; reference: Reference }> {
  const { clips: entries } = await readReferenceIndex(folder)
  for (const [i, clip] of clips.entries()) {
    run.signal.throwIfAborted()
    const entry = entries.find(({ id }) => id === clip.id)
    if (!entry) throw new Failure(`python/reference.py left out the clip ${clip.id}.`)
    yield { clip, reference: await readReference(folder, entry) }
    run.emit({ event: 'progress', what, done: i + 1, total: clips.length, unit: 'clips' })
  }
}

interface CheckSummary {
  readonly check: string
  readonly clips: number
  readonly worst: number
  readonly worstClip: string
  readonly tolerance: number
  readonly pass: boolean
  readonly problem?: string
}

function summarize(compared: readonly Comparison[], agreement: ReadonlyMap<Int4Path, readonly Agreement[]>) {
  const int4 = [...agreement].map(([path, clips]) => ({ path, ...totals(clips) }))
  const checks = CHECKS.map((check): CheckSummary => {
    const all = compared.filter((comparison) => comparison.check === check)
    if (all.length === 0) throw new Failure(`No clip was compared by ${check}.`)
    const worst = all.reduce((a, b) => (b.worst > a.worst || Number.isNaN(b.worst) ? b : a))
    const { tolerance, clip, problem } = worst
    return {
      check,
      clips: all.length,
      worst: worst.worst,
      worstClip: clip,
      tolerance,
      pass: all.every(passes),
      ...(problem !== undefined && { problem }),
    }
  })
  return {
    verdict: checks.every(({ pass }) => pass) && lossOfInt4(int4) <= MAX_INT4_PATH_LOSS ? 'pass' : 'fail',
    checks,
    int4,
  }
}

/** What the worst way through int4 loses against its best, of the mean cosine; NaN when one is no number. */
function lossOfInt4(int4: readonly { readonly meanCosine: number }[]): number {
  const cosines = int4.map(({ meanCosine }) => meanCosine)
  return Math.max(...cosines) - Math.min(...cosines) // keeps a NaN
}

/** All ways through int4 have the same weights: prompts in 8 bits, or another layout, must not cost what quantizing does. */
function gateInt4(
  int4: readonly { readonly path: Int4Path; readonly meanCosine: number; readonly problem?: string }[],
): void {
  const loss = lossOfInt4(int4)
  if (loss <= MAX_INT4_PATH_LOSS) return
  const broken = int4.find(({ problem }) => problem !== undefined)
  throw new Failure(
    broken
      ? `The parity gate failed: int4 logits, ${broken.path}: ${broken.problem}; wanted finite numbers.`
      : `The parity gate failed: mean cosines of int4 logits differ by ${loss}, wanted at most ${MAX_INT4_PATH_LOSS}: ` +
          int4.map(({ path, meanCosine }) => `${path} ${meanCosine.toFixed(5)}`).join(', '),
    'Where the prompts in 8 bits are the worst, --no-prefill-int8 leaves them out. Nothing was packaged.',
    EXIT.gate,
  )
}

function totals(clips: readonly Agreement[]) {
  const positions = clips.reduce((sum, clip) => sum + clip.positions, 0)
  const broken = clips.find(({ problem }) => problem !== undefined)
  return {
    ...(broken && { problem: `${broken.clip}: ${broken.problem}` }),
    positions,
    sameTop1: clips.reduce((sum, clip) => sum + clip.sameTop1, 0),
    meanCosine: clips.reduce((sum, clip) => sum + clip.cosine, 0) / positions,
  }
}

function report(
  run: Run,
  { checks, int4, verdict, reference }: ReturnType<typeof summarize> & { reference: object },
): void {
  run.emit({
    event: 'table',
    title: `Parity of FP32 with PyTorch (${Object.entries(reference)
      .map((pair) => pair.join(' '))
      .join(', ')}): ${verdict}`,
    columns: ['check', 'clips', 'worst', 'tolerance', 'verdict', 'worst clip'],
    rows: checks.map((row) => [
      row.check,
      String(row.clips),
      row.tolerance === 0 ? String(row.worst) : row.worst.toExponential(1),
      row.tolerance === 0 ? 'identical' : `${row.tolerance}`,
      row.pass ? 'pass' : 'FAIL',
      row.worstClip,
    ]),
  })
  for (const { path, meanCosine, sameTop1, positions } of int4) {
    const text =
      `int4 logits along PyTorch's tokens, ${path}: mean cosine ${meanCosine.toFixed(5)}, ` +
      `same top-1 at ${sameTop1} of ${positions} positions`
    run.emit({ event: 'note', text })
  }
}

function gateFailure(failed: readonly Comparison[]): Failure {
  const first = failed.find(({ problem }) => problem !== undefined) ?? failed[0]
  const found = first?.problem ?? `difference ${first?.worst}, wanted at most ${first?.tolerance}`
  return new Failure(
    `The parity gate failed: ${failed.length} comparisons, first ${first?.check} of ${first?.clip}: ${found}.`,
    'All comparisons are in report.json. Nothing was packaged.',
    EXIT.gate,
  )
}
