import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { evaluate } from '../../eval/evaluation.ts'
import { describeMachine } from '../../eval/machine.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import { releaseSystem } from '../../eval/release-system.ts'
import { percent } from '../../eval/report/number-text.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { openResults } from '../../eval/result-file.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { shape, text } from '../../eval/runtime/schema.ts'
import type { System } from '../../eval/system.ts'
import { fingerprintFiles, variantFilesOf } from '../evaluate/fingerprint.ts'
import { ownEvaluation, RESULTS, RUN } from '../evaluate/result-files.ts'
import { gatesOf } from '../gates.ts'
import { GATE_RESULT_WAY, type GateResult, gateResult, verdictOf } from '../release/gate-result.ts'
import { shownValue } from '../release/gate-table.ts'
import { sectionFile, writeSection } from '../release/report-sections.ts'
import { checked } from '../shared/checked.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { writeJson } from '../shared/output-files.ts'
import { rowOf } from '../variants.ts'
import { isBundled, ownReport, ownSpeech, speechName } from './own-evaluation.ts'
import type { Run, Stage } from './stage.ts'
import { identifyFolder } from './stamp.ts'

/** That of the older tables, and fit for any language. */
const NORMALIZER: NormalizerName = 'basic'

/** WER and RTF of every variant on local speech. */
export const evaluateStage: Stage = {
  name: 'evaluate',
  async inputs({ options, maxWer }) {
    const { speech, language, context, maxNewTokens, threads, variants, providers } = options
    return {
      node: process.versions.node,
      audio: await identifyFolder(speech),
      maxWer,
      options: { speech, language, context, maxNewTokens, threads, variants, provider: providers[0] },
    }
  },
  outputs: ({ paths }) => [sectionFile(paths, 'evaluation')],
  async run(run) {
    await measure(run)
    await writeResults(run, await ownReport(run))
  },
  async check(run) {
    const failed = werGates(run, await ownReport(run)).find(({ pass }) => !pass)
    if (!failed) return
    const { gate, variant, limit } = failed
    throw new Failure(
      `The WER gate failed: ${gate} of ${variant} is ${shownValue(failed)}, wanted at most ${percent(limit ?? 0)}.`,
      'Every transcript is in evaluation.html. Nothing was packaged.',
      EXIT.gate,
    )
  },
}

async function measure(run: Run): Promise<void> {
  const folder = ownEvaluation(run.paths)
  if (run.options.force) await rm(folder, { recursive: true, force: true })
  const dataset = await ownSpeech(run)
  const systems: System[] = []
  for (const variant of run.options.variants) systems.push(await systemOf(run, variant))
  const results = await openResults(join(folder, RESULTS))
  const machine = describeMachine(run.options.threads)
  const counts = { done: 0, total: 0 }
  for await (const event of evaluate(systems, [dataset], results, { machine, signal: run.signal })) {
    if (event.event === 'loaded') Object.assign(counts, { done: 0, total: event.missing })
    if (event.event === 'utterance') counts.done++
    const what = `WER ${event.system.name}`
    if (event.event !== 'loading') run.emit({ event: 'progress', what, ...counts, unit: 'utterances' })
  }
  const { name, source, count, of, keys } = dataset
  await writeJson(join(folder, RUN), {
    datasets: [{ name, source, count, of, keys, normalizer: NORMALIZER }],
    systems: systems.map(({ start, ...system }) => system),
    selection: { sample: 'all' },
  })
}

async function systemOf(run: Run, variant: string): Promise<System> {
  const { threads, language, context, maxNewTokens, providers } = run.options
  const folder = run.paths.model
  const { paths, bytes } = await variantFilesOf(folder, variant)
  return releaseSystem({
    ...{ name: variant, folder, variant, bytes, provider: providers[0] ?? USUAL_PROVIDER },
    ...{ threads, workers: 1, batch: 1, isSteady: true }, // as the defaults of npm run evaluate
    fingerprint: await fingerprintFiles(paths, run.paths.work),
    options: defined({ maxNewTokens, language, context: context || undefined }),
  })
}

/** What the gates say of every variant's word error rate. */
function werGates(run: Run, report: Report): GateResult[] {
  const rates = new Map(mainRows(report).map(({ system, wer }) => [system, wer]))
  const systems = new Map(report.systems.map(({ name, settings }) => [name, settings]))
  const fingerprints = [FP32, ...rates.keys()].map((name) => [
    name,
    String(systems.get(name)?.['fingerprint']),
  ])
  const known: Readonly<Record<string, string>> = Object.fromEntries(fingerprints)
  return run.options.variants.flatMap((variant) => {
    const [wer, wer32] = [rates.get(variant), rates.get(FP32)]
    if (wer === undefined || wer32 === undefined) throw new Failure(`${variant} was not evaluated.`)
    const { provider, ...way } = checked(SETTINGS, systems.get(variant), { file: RUN })
    const own = { [variant]: known[variant] ?? '', [FP32]: known[FP32] ?? '' }
    return gatesOf(rowOf(variant).gates).flatMap(([gate, limits]) =>
      gate.kind === 'text'
        ? gate
            .judge({ way, wer, wer32, maxWer: maxWerOf(run) }, limits)
            .map((finding) => gateResult(finding, variant, provider, own))
        : [],
    )
  })
}

/** How a variant was run, of what its system says of itself. */
const SETTINGS = shape({
  provider: text,
  layout: GATE_RESULT_WAY.layout,
  prefill: GATE_RESULT_WAY.prefill,
})

/** The limit is one for the bundled speech as it is; on other speech the model may be worse for good reasons. */
function maxWerOf(run: Run): number | undefined {
  const { language, context } = run.options
  return isBundled(run) && language === undefined && context === undefined ? run.maxWer : undefined
}

async function writeResults(run: Run, report: Report): Promise<void> {
  const gates = werGates(run, report)
  const scores = report.scores.get(speechName(run))
  await writeSection(run.paths, 'evaluation', {
    verdict: verdictOf(gates),
    gates,
    speech: speechLabel(run),
    isBundledSpeech: isBundled(run),
    normalizer: NORMALIZER,
    language: run.options.language ?? 'detected',
    context: run.options.context ?? '',
    machines: report.machines,
    differences: report.differences,
    variants: mainRows(report).map((row) => ({
      variant: row.system,
      summary: row,
      bytes: report.systems.find(({ name }) => name === row.system)?.bytes,
      utterances: scores?.get(row.system)?.map(({ record, errors }) => ({ ...record, errors })),
    })),
  })
}

function speechLabel(run: Run): string {
  return isBundled(run) ? "the project's synthetic held-out speech" : run.options.speech
}
