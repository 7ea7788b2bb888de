// SPDX-License-Identifier: Apache-2.0

import { percent } from '../../eval/report/number-text.ts'
import { choiceText, rulesText } from '../release/encoder-choice.ts'
import { changedOf, nats, rangeOf, ratioOf } from '../release/fidelity-table.ts'
import { formatBytes } from '../shared/output-files.ts'
import type { TrialRecord } from './trial-record.ts'

/** What a trial found, in lines. */
export function trialLines(record: TrialRecord, isOld: boolean): string[] {
  const { name, fidelity, wer, bytes, speed, encoderChoice } = record
  const { kld, ratio, top1, problem } = fidelity
  return [
    `${name}${isOld ? ' (of an earlier run)' : ''}`,
    problem === undefined
      ? `  KLD ${nats(kld.mean)} (${rangeOf(kld)}), median ${nats(kld.median)}, p99 ${nats(kld.p99)}, max ${nats(kld.max)}`
      : `  nothing is known of its fidelity: ${problem}`,
    ...(ratio ? [`  ratio to ${ratio.to} ${ratioOf(ratio)}`] : []),
    `  transcripts changed ${changedOf(fidelity)}, top-1 ${top1 === null ? '-' : percent(top1)}`,
    ...(wer
      ? [`  WER ${werText(wer.errors, wer.words)}, FP32 ${werText(wer.fp32Errors, wer.fp32Words)}`]
      : []),
    `  files ${formatBytes(bytes.total)}: decoder ${formatBytes(bytes.decoder)}, encoder ${formatBytes(bytes.encoder)}, embeddings ${formatBytes(bytes.embeddings)}`,
    ...(encoderChoice ? [`  encoder ${rulesText(encoderChoice.rules)}. ${choiceText(encoderChoice)}`] : []),
    `  step ${speed.stepMs.toFixed(2)} ms, prompt ${speed.promptMs.toFixed(2)} ms, encoder ${speed.encoderMs.toFixed(2)} ms (${speed.threads} threads, ${speed.machine.cpu})`,
  ]
}

function werText(errors: number, words: number): string {
  return words === 0 ? 'not known (no words)' : `${percent(errors / words)} (${errors} of ${words})`
}
