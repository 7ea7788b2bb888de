import { basename } from 'node:path'
import type { Evidence } from './evidence.ts'

/** What the pipeline does when nothing else is said. */
const DEFAULTS = { opset: 18, blockSize: 64, accuracyLevel: 4, symmetric: false, prefillInt8: true } as const

/** The command that makes this release again, without a path of this machine. */
export function commandOf({ provenance, evaluation }: Evidence, name: string): string {
  const { flag, options } = provenance
  const { language, context, speech, isBundledSpeech = true } = evaluation ?? {}
  const words = [
    `npm run pipeline -- --model ${flag}`,
    ...(name === defaultName(provenance.model) ? [] : [`--name ${name}`]),
    ...(options.opset === DEFAULTS.opset ? [] : [`--opset ${options.opset}`]),
    ...(options.blockSize === DEFAULTS.blockSize ? [] : [`--block-size ${options.blockSize}`]),
    ...(options.accuracyLevel === DEFAULTS.accuracyLevel
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

function defaultName(model: string): string {
  return basename(model).toLowerCase().replace(/-hf$/, '')
}
