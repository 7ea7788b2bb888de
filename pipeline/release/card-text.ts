import type { Report } from '../../eval/report/report.ts'
import { isRepoName } from '../hub/hub-id.ts'
import type { Evidence } from './evidence.ts'
import type { Provenance } from './provenance.ts'

/* Sentences of model cards of all kinds. */

/** The checkpoint, with its revision. */
export function sourceText({ model, revision }: Provenance): string {
  const source = isRepoName(model) ? `[${model}](https://huggingface.co/${model})` : model
  return `${source}${revision ? ` at \`${revision.slice(0, 12)}\`` : ''}`
}

type Dataset = Report['run']['datasets'][number]

/** Which utterances of a dataset were taken: "All 70 utterances". */
export function chosenText({ count, of, source }: Dataset, { run }: Report): string {
  const { sample, seed } = run.selection
  const where =
    typeof source['repo'] === 'string'
      ? ` (\`${source['repo']}\`, ${source['config']}, ${source['split']})`
      : ''
  const chosen =
    count === of
      ? `All ${of} utterances`
      : `${count} of ${of} utterances (${sample}${seed === undefined ? '' : `, seed ${seed}`})`
  return chosen + where
}

/** The name that the evaluation stage gives to the speech that ships. */
const BUNDLED = 'held-out'

/** @param shows what figures of synthetic speech show, and do not */
export function syntheticNote({ source, name }: Dataset, { evaluation }: Evidence, shows: string): string {
  const isBundled = evaluation?.isBundledSpeech === true && source['kind'] === 'folder' && name === BUNDLED
  return isBundled ? `Synthetic speech (espeak-ng) that ships with the project: ${shows}\n\n` : ''
}
