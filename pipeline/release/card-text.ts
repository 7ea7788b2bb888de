// SPDX-License-Identifier: Apache-2.0

import type { Report } from '../../eval/report/report.ts'
import { isRepoName } from '../hub/hub-id.ts'
import type { Software } from '../shared/own-version.ts'
import type { Evidence } from './evidence.ts'
import type { Provenance } from './provenance.ts'

/* Sentences of model cards of all kinds. */

/** The checkpoint, or an adapter and its base; with their revisions. */
export function sourceText({ model, revision, adapter }: Provenance): string {
  const source = placeText({ model, ...(revision !== undefined && { revision }) })
  return adapter ? `${placeText(adapter.base)} with the LoRA adapter ${source} merged into it` : source
}

function placeText({ model, revision }: Pick<Provenance, 'model' | 'revision'>): string {
  const source = isRepoName(model) ? `[${model}](https://huggingface.co/${model})` : model
  return `${source}${revision ? ` at \`${revision.slice(0, 12)}\`` : ''}`
}

/** What few readers want to see at once: a line that opens it. Markdown in it needs empty lines around. */
export function details(summary: string, body: string): string {
  return `<details>\n<summary>${summary}</summary>\n\n${body}\n\n</details>`
}

/** Where the software that made the release is found. */
export function projectText({ repository }: Software): string {
  return repository === undefined ? 'the project' : `[the project](${repository})`
}

const HASH_SHOWN = 12

/** Which software, down to the commit where that is known. */
export function softwareText({ name, version, repository, commit, dirty }: Software): string {
  const short = `\`${commit?.slice(0, HASH_SHOWN)}\``
  const [project, hash] =
    repository === undefined
      ? [name, short]
      : [`[${name}](${repository})`, `[${short}](${repository}/commit/${commit})`]
  const at = commit === undefined ? '' : `, commit ${hash}`
  return `${project} ${version}${at}${dirty ? ', with changes that were not committed' : ''}`
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

/**
 * A note above figures of the bundled speech; empty for other datasets.
 * @param shows what figures of synthetic speech show, and do not
 */
export function syntheticNote({ source, name }: Dataset, { evaluation }: Evidence, shows: string): string {
  const isBundled = evaluation?.isBundledSpeech === true && source['kind'] === 'folder' && name === BUNDLED
  return isBundled ? `Synthetic speech (espeak-ng) that ships with the project: ${shows}\n\n` : ''
}

/** What nobody may conclude from the figures. */
export function measuredOn({ reports }: Evidence): string {
  const names = [...new Set(reports.flatMap(({ run }) => run.datasets.map(({ name }) => name)))]
  return names.length === 0
    ? 'Not tested: these files were measured on no speech.'
    : `Not tested: other speech than ${names.join(', ')}, whose figures are below. Other languages, microphones, noise and music may do worse.`
}
