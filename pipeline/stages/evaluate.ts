import { join } from 'node:path'
import { stringify } from 'csv-stringify/sync'
import { describeMachine, type Machine } from '../../eval/machine.ts'
import { type Measured, measure, type Summary, summarize, type Unreadable } from '../../eval/measure.ts'
import { loadRecognizer, releaseRecognizer } from '../../eval/recognizer.ts'
import { readSpeechFolder, type Utterance } from '../../eval/speech.ts'
import { EXIT, Failure } from '../failure.ts'
import { formatBytes, writeText } from '../files.ts'
import { VARIANTS, type Variant, variantFiles, variantLabel } from '../layout.ts'
import { BUNDLED_SPEECH, MAX_INT4_LOSS } from '../models.ts'
import { sectionFile, writeSection } from '../report.ts'
import type { Run, Stage } from '../stages.ts'
import { identifyFolder, identifySources, identifyTools } from '../stamp.ts'
import { folderBytes } from './package.ts'

const NORMALIZER = 'basic'

interface VariantResult {
  readonly variant: string
  readonly summary: Summary
  readonly bytes: number
  readonly utterances: readonly (Measured | Unreadable)[]
}

interface Gate {
  readonly gate: string
  readonly found: number
  readonly limit: number
  readonly pass: boolean
}

/** WER and RTF of every variant on local speech. */
export const evaluateStage: Stage = {
  name: 'evaluate',
  async inputs({ options, maxWer }) {
    const { speech, language, context, maxNewTokens, threads } = options
    return {
      sources: await identifySources(['eval', 'pipeline/stages']),
      tools: await identifyTools(),
      audio: await identifyFolder(speech),
      maxWer,
      options: { speech, language, context, maxNewTokens, threads },
    }
  },
  outputs: ({ layout }) => [sectionFile(layout, 'evaluation'), join(layout.model, 'results.csv')],
  async run(run) {
    const utterances = await readSpeechFolder(run.options.speech)
    const results: VariantResult[] = []
    for (const variant of VARIANTS) results.push(await evaluateVariant(run, variant, utterances))
    const machine = describeMachine(run.options.threads)
    const gates = werGates(run, results)
    await writeResults(run, results, machine, gates)
    report(run, results, machine)
    const failed = gates.find(({ pass }) => !pass)
    if (failed) {
      throw new Failure(
        `The WER gate failed: ${failed.gate} is ${percent(failed.found)}, wanted at most ${percent(failed.limit)}.`,
        'Every transcript is in report.json. Nothing was packaged.',
        EXIT.gate,
      )
    }
  },
}

async function evaluateVariant(
  run: Run,
  variant: Variant,
  utterances: readonly Utterance[],
): Promise<VariantResult> {
  const { threads, language, context, maxNewTokens } = run.options
  const recognizer = await loadRecognizer(run.layout.model, { variant, threads })
  const options = {
    maxNewTokens,
    signal: run.signal,
    ...(language && { language }),
    ...(context && { context }),
  }
  const results: (Measured | Unreadable)[] = []
  try {
    for await (const result of measure(recognizer, utterances, options)) {
      run.signal.throwIfAborted()
      results.push(result)
      const what = `WER ${variantLabel(variant)}`
      run.emit({
        event: 'progress',
        what,
        done: results.length,
        total: utterances.length,
        unit: 'utterances',
      })
    }
  } finally {
    await releaseRecognizer(recognizer)
  }
  const bytes = await folderBytes(run.layout.model, variantFiles(variant))
  return { variant: variantLabel(variant), summary: summarize(results), bytes, utterances: results }
}

function werGates(run: Run, results: readonly VariantResult[]): Gate[] {
  const [fp32, int4] = results.map(({ summary }) => summary.wer)
  if (fp32 === undefined || int4 === undefined) throw new Failure('A variant was not evaluated.')
  const gate = (name: string, found: number, limit: number) => ({
    gate: name,
    found,
    limit,
    pass: found <= limit,
  })
  // The limit is one for the bundled speech as it is; on other speech the model may be worse for good reasons.
  const { language, context } = run.options
  const hasLimit =
    run.maxWer !== undefined && isBundled(run) && language === undefined && context === undefined
  return [
    ...(hasLimit ? [gate('WER of FP32', fp32, run.maxWer ?? 0)] : []),
    gate('WER that int4 adds to FP32', int4 - fp32, MAX_INT4_LOSS),
  ]
}

function columnsOf({ variant, summary, bytes }: VariantResult, machine: Machine) {
  const { errors, timing, audioSeconds } = summary
  const share = (seconds: number) => (seconds / audioSeconds).toFixed(4)
  return {
    variant,
    normalizer: NORMALIZER,
    utterances: summary.utterances,
    unreadable: summary.unreadable,
    audio_seconds: audioSeconds.toFixed(1),
    wer: summary.wer.toFixed(5),
    words: errors.words,
    hits: errors.hits,
    substitutions: errors.substitutions,
    deletions: errors.deletions,
    insertions: errors.insertions,
    rtf: summary.rtf.toFixed(4),
    rtf_mel: share(timing.mel),
    rtf_encoder: share(timing.encoder),
    rtf_prefill: share(timing.prefill),
    rtf_decode: share(timing.decode),
    tokens: summary.tokens,
    empty: summary.empty,
    without_marker: summary.withoutMarker,
    unfinished: summary.unfinished,
    bytes,
    threads: machine.threads,
    cpu: machine.cpu,
    cpu_features: machine.features.join(' '),
    node: machine.node,
    onnxruntime: machine.onnxruntime,
    execution_provider: machine.executionProvider,
  }
}

async function writeResults(
  run: Run,
  results: readonly VariantResult[],
  machine: Machine,
  gates: readonly Gate[],
) {
  const rows = results.map((result) => columnsOf(result, machine))
  await writeText(join(run.layout.model, 'results.csv'), stringify(rows, { header: true }))
  await writeSection(run.layout, 'evaluation', {
    verdict: gates.every(({ pass }) => pass) ? 'pass' : 'fail',
    gates,
    speech: speechLabel(run),
    isBundledSpeech: isBundled(run),
    normalizer: NORMALIZER,
    language: run.options.language ?? 'detected',
    context: run.options.context ?? '',
    machine,
    variants: results,
  })
}

function report(run: Run, results: readonly VariantResult[], machine: Machine): void {
  const [first] = results
  const { summary } = first ?? {}
  run.emit({
    event: 'table',
    title: `WER and RTF on ${speechLabel(run)} (${summary?.utterances} utterances, ${summary?.audioSeconds.toFixed(0)} s, normalizer ${NORMALIZER})`,
    columns: [
      'variant',
      'WER',
      'words',
      'hit',
      'sub',
      'del',
      'ins',
      'RTF',
      'mel',
      'encoder',
      'prefill',
      'decode',
      'size',
    ],
    rows: results.map((result) => {
      const row = columnsOf(result, machine)
      return [
        ...[row.variant, percent(result.summary.wer), row.words, row.hits, row.substitutions, row.deletions],
        ...[
          row.insertions,
          row.rtf,
          row.rtf_mel,
          row.rtf_encoder,
          row.rtf_prefill,
          row.rtf_decode,
          formatBytes(row.bytes),
        ],
      ].map(String)
    }),
  })
  const features = machine.features.length > 0 ? ` (${machine.features.join(', ')})` : ''
  run.emit({
    event: 'note',
    text:
      `RTF = seconds of compute per second of audio, after one warm-up, ${machine.threads} threads, ${machine.cpu}${features}, ` +
      `onnxruntime ${machine.onnxruntime} ${machine.executionProvider}, Node ${machine.node}`,
  })
  for (const { variant, summary: s } of results) {
    if (s.empty + s.withoutMarker + s.unfinished + s.unreadable === 0) continue
    run.emit({
      event: 'note',
      text: `${variant}: ${s.empty} empty, ${s.withoutMarker} without <asr_text>, ${s.unfinished} cut at the token limit, ${s.unreadable} unreadable`,
    })
  }
}

function isBundled(run: Run): boolean {
  return run.options.speech === BUNDLED_SPEECH
}

function speechLabel(run: Run): string {
  return isBundled(run) ? "the project's synthetic held-out speech" : run.options.speech
}

function percent(rate: number): string {
  return `${(100 * rate).toFixed(2)} %`
}
