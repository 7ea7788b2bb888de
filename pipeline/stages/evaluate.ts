import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { evaluate } from '../../eval/evaluation.ts'
import { describeMachine } from '../../eval/machine.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import { percent } from '../../eval/report/number-text.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { openResults } from '../../eval/result-file.ts'
import { modelSystem, type System } from '../../eval/system.ts'
import { fingerprintFiles, variantFilesOf } from '../evaluate/fingerprint.ts'
import { isBundled, ownReport, ownSpeech, speechName } from '../evaluate/own-evaluation.ts'
import { ownEvaluation, RESULTS, RUN } from '../evaluate/result-files.ts'
import { EXIT, Failure } from '../failure.ts'
import { writeJson } from '../files.ts'
import { VARIANTS, variantLabel } from '../layout.ts'
import { MAX_INT4_LOSS } from '../models.ts'
import type { EvaluationSection } from '../release/evidence.ts'
import { sectionFile, writeSection } from '../report.ts'
import type { Run, Stage } from '../stages.ts'
import { identifyFolder } from '../stamp.ts'

/** That of the older tables, and fit for any language. */
const NORMALIZER: NormalizerName = 'basic'

type Gate = EvaluationSection['gates'][number]

/** WER and RTF of every variant on local speech. */
export const evaluateStage: Stage = {
  name: 'evaluate',
  async inputs({ options, maxWer }) {
    const { speech, language, context, maxNewTokens, threads } = options
    return {
      node: process.versions.node,
      audio: await identifyFolder(speech),
      maxWer,
      options: { speech, language, context, maxNewTokens, threads },
    }
  },
  outputs: ({ layout }) => [sectionFile(layout, 'evaluation')],
  async run(run) {
    await measure(run)
    await writeResults(run, await ownReport(run))
  },
  async check(run) {
    const failed = werGates(run, await ownReport(run)).find(({ pass }) => !pass)
    if (!failed) return
    throw new Failure(
      `The WER gate failed: ${failed.gate} is ${percent(failed.found)}, wanted at most ${percent(failed.limit)}.`,
      'Every transcript is in evaluation.html. Nothing was packaged.',
      EXIT.gate,
    )
  },
}

async function measure(run: Run): Promise<void> {
  const folder = ownEvaluation(run.layout)
  if (run.options.force) await rm(folder, { recursive: true, force: true })
  const dataset = await ownSpeech(run)
  const systems: System[] = []
  for (const variant of VARIANTS) systems.push(await systemOf(run, variant))
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

async function systemOf(run: Run, variant: (typeof VARIANTS)[number]): Promise<System> {
  const { threads, language, context, maxNewTokens } = run.options
  const folder = run.layout.model
  const { paths, bytes } = await variantFilesOf(folder, variant)
  return modelSystem({
    ...{ name: variantLabel(variant), folder, variant, bytes },
    ...{ threads, workers: 1, batch: 1, isSteady: true }, // as the defaults of npm run evaluate
    fingerprint: await fingerprintFiles(paths, run.layout.work),
    options: {
      ...(maxNewTokens !== undefined && { maxNewTokens }),
      ...(language && { language }),
      ...(context && { context }),
    },
  })
}

function werGates(run: Run, report: Report): Gate[] {
  const [fp32, int4] = mainRows(report).map(({ wer }) => wer)
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

async function writeResults(run: Run, report: Report): Promise<void> {
  const gates = werGates(run, report)
  const scores = report.scores.get(speechName(run))
  await writeSection(run.layout, 'evaluation', {
    verdict: gates.every(({ pass }) => pass) ? 'pass' : 'fail',
    gates,
    fingerprints: Object.fromEntries(
      report.systems.map(({ name, settings }) => [name, String(settings['fingerprint'])]),
    ),
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
