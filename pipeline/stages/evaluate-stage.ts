// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { evaluate } from '../../eval/evaluation.ts'
import { describeMachine } from '../../eval/machine.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import { releaseSystem } from '../../eval/release-system.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { openResults } from '../../eval/result-file.ts'
import { defined } from '../../eval/runtime/defined.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import type { Score } from '../../eval/score.ts'
import type { System } from '../../eval/system.ts'
import { fingerprintFiles, variantFilesOf } from '../evaluate/fingerprint.ts'
import { ownEvaluation, RESULTS, RUN } from '../evaluate/result-files.ts'
import { verdictOf } from '../release/gate-result.ts'
import { shownLimit, shownValue } from '../release/gate-table.ts'
import { sectionFile, writeSection } from '../release/report-sections.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { writeJson } from '../shared/output-files.ts'
import { isBundled, ownReport, ownSpeech, speechName } from './own-evaluation.ts'
import { speechGates } from './speech-gates.ts'
import type { Run, Stage } from './stage.ts'
import { identifyFolder } from './stamp.ts'

/** That of the older tables, and fit for any language. */
const NORMALIZER: NormalizerName = 'basic'

/** What is reported of a kind of model. */
const TOLD: Readonly<Record<Family, { readonly what: string; readonly gate: string }>> = {
  asr: { what: 'WER', gate: 'WER gate' },
  aligner: { what: 'times', gate: 'gate of times' },
}

/** WER and RTF of every variant on local speech; of a forced aligner its times instead of WER. */
export const evaluateStage: Stage = {
  name: 'evaluate',
  async inputs({ options, known: { maxWer, maxTimeError } }) {
    const { speech, language, context, maxNewTokens, threads, variants, providers } = options
    return {
      node: process.versions.node,
      audio: await identifyFolder(speech),
      ...{ maxWer, maxTimeError },
      options: { speech, language, context, maxNewTokens, threads, variants, provider: providers[0] },
    }
  },
  outputs: ({ paths }) => [sectionFile(paths, 'evaluation')],
  async run(run) {
    await measure(run)
    const report = await ownReport(run)
    await writeResults(run, report)
    tellWithoutTimes(run, report)
  },
  async check(run) {
    const { family } = run.options
    const failed = speechGates(run, await ownReport(run)).find(({ pass }) => !pass)
    if (!failed) return
    const { gate, variant, limit, problem } = failed
    const wanted = problem === undefined ? `, wanted at most ${shownLimit(failed, limit ?? 0)}` : ''
    throw new Failure(
      `The ${TOLD[family].gate} failed: ${gate} of ${variant} is ${shownValue(failed)}${wanted}.`,
      'Every utterance is in evaluation.html. Nothing was packaged.',
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
    const what = `${TOLD[run.options.family].what} ${event.system.name}`
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

async function writeResults(run: Run, report: Report): Promise<void> {
  const figuresOf = ({ errors, times }: Score) =>
    run.options.family === 'aligner' ? defined({ times }) : { errors }
  const gates = speechGates(run, report)
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
    ...(run.options.family === 'aligner'
      ? { timeComparisons: report.timeComparisons }
      : { differences: report.differences }),
    variants: mainRows(report).map((row) => ({
      variant: row.system,
      summary: row,
      bytes: report.systems.find(({ name }) => name === row.system)?.bytes,
      utterances: scores?.get(row.system)?.map((score) => ({ ...score.record, ...figuresOf(score) })),
    })),
  })
}

/** Nothing is gated then, and a release is not proved. */
function tellWithoutTimes({ options, emit }: Run, report: Report): void {
  if (options.family !== 'aligner' || mainRows(report).some(({ times }) => times !== undefined)) return
  emit({
    event: 'note',
    text:
      'The speech has no times of words: only speed was measured, and how far variants are from FP32. ' +
      'Speech with times, such as the bundled one (without --speech), shows how right they are.',
  })
}

function speechLabel(run: Run): string {
  return isBundled(run) ? "the project's synthetic held-out speech" : run.options.speech
}
