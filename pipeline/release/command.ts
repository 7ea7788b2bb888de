import { basename } from 'node:path'
import { GRAPH_DEFAULTS } from '../options.ts'
import { releaseName } from '../source.ts'
import type { Evidence } from './evidence.ts'

/** The command that makes this release again, without a path of this machine. */
export function commandOf({ provenance, evaluation }: Evidence, name: string): string {
  const { flag, options } = provenance
  const { language, context, speech, isBundledSpeech = true } = evaluation ?? {}
  const words = [
    `npm run pipeline -- --model ${flag}`,
    ...(name === releaseName(basename(provenance.model)) ? [] : [`--name ${name}`]),
    ...(options.opset === GRAPH_DEFAULTS.opset ? [] : [`--opset ${options.opset}`]),
    ...(options.blockSize === GRAPH_DEFAULTS.blockSize ? [] : [`--block-size ${options.blockSize}`]),
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
