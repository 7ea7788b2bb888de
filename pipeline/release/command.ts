// SPDX-License-Identifier: Apache-2.0

import { basename } from 'node:path'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { USUAL_CALIBRATION } from '../calibration-choice.ts'
import { releaseName } from '../checkpoint/checkpoint-source.ts'
import { GRAPH_DEFAULTS } from '../recipes.ts'
import { USUAL_VARIANTS } from '../variants.ts'
import type { Evidence } from './evidence.ts'

/** The command that makes this release again, without a path of this machine. */
export function commandOf({ provenance, evaluation }: Evidence, name: string): string {
  const { flag, options } = provenance
  const { language, context, speech, isBundledSpeech = true } = evaluation ?? {}
  const variants = [FP32, ...Object.keys(provenance.recipes)]
  const isUsual = variants.join() === USUAL_VARIANTS.join()
  const words = [
    `npm run pipeline -- --model ${flag}`,
    ...(provenance.adapter ? [`--base ${provenance.adapter.base.flag}`] : []),
    ...(name === releaseName(basename(provenance.model)) ? [] : [`--name ${name}`]),
    ...(isUsual ? [] : [`--variants ${variants.join(',')}`]),
    ...calibrationWords(provenance),
    ...(provenance.providers.join() === USUAL_PROVIDER
      ? []
      : [`--providers ${provenance.providers.join(',')}`]),
    ...(options.opset === GRAPH_DEFAULTS.opset ? [] : [`--opset ${options.opset}`]),
    ...(options.blockSize === undefined ? [] : [`--block-size ${options.blockSize}`]),
    ...(options.accuracyLevel === GRAPH_DEFAULTS.accuracyLevel
      ? []
      : [`--accuracy-level ${options.accuracyLevel}`]),
    ...(options.symmetric ? ['--symmetric'] : []),
    ...(options.prefillInt8 ? [] : ['--no-prefill-int8']),
    ...(language === undefined || language === 'detected' ? [] : [`--language ${language}`]),
    ...(context ? [`--context ${JSON.stringify(context)}`] : []),
    ...(isBundledSpeech || speech === undefined ? [] : [`--speech path/to/${basename(speech)}`]),
  ]
  return words.join(' ')
}

function calibrationWords({ calibration }: Evidence['provenance']): string[] {
  const { name, repo, config, split, revision, wanted } = calibration?.dataset ?? {}
  if (calibration === undefined) return []
  const clips = Number(wanted ?? calibration.clips.length)
  const clipWords = clips === USUAL_CALIBRATION.clips ? [] : [`--calibration-clips ${clips}`]
  if (calibration.dataset['isBundled'] === true) return clipWords
  const hub = `hub:${repo}/${config}/${split}${revision === undefined ? '' : `@${revision}`}`
  return [`--calibration ${repo === undefined ? `path/to/${name}` : hub}`, ...clipWords]
}
