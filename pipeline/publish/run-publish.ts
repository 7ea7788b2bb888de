// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { readOwn } from '../../eval/checked-json.ts'
import { connectHub } from '../hub/connection.ts'
import { onlyModel } from '../release/only-model.ts'
import { findRelease, type ReleaseFolder } from '../release/release-files.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, type ExitCode, Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { type NextStep, shellWord, shortPath } from '../shared/next-steps.ts'
import { writeJson } from '../shared/output-files.ts'
import { pathsOf } from '../shared/paths.ts'
import { printable } from '../shared/printable.ts'
import { redact } from '../shared/redact.ts'
import { asStep } from '../shared/step.ts'
import { isWritable, requireWritable } from '../shared/writable.ts'
import type { PublishChoices } from './publish-choices.ts'
import { type Published, publish, RECEIPT } from './publish-release.ts'
import { PUBLISHED } from './receipt.ts'

/** One run's options, as the command line gives them. */
export interface PublishCommandOptions extends PublishChoices {
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  readonly yes: boolean
  readonly receipt?: string
  /** the command line behind the command, without `--dry-run` */
  readonly words: readonly string[]
}

/** Publish as the command line says, and leave a receipt. */
export async function runPublish(
  options: PublishCommandOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { repo, modelDir } = options
  const started = performance.now()
  const folder = resolve(modelDir ?? (await onlyModel('give its folder')))
  const hub = await connectHub()
  const release = await findRelease(folder)
  const { root } = release
  const path = resolve(options.receipt ?? join(dirname(root), RECEIPT))
  if (!options.dryRun)
    await requireWritable(dirname(path), 'The folder of the receipt', 'Name another file with --receipt.')
  const verifiedCommit = await verifiedBefore(path, repo, hub.url)
  const giveBack = options.dryRun ? undefined : await holdModel(release)
  const { outcome, receipt } = await asStep({ step: 'publish', of: root, output: `${repo}`, emit }, () =>
    publish({
      ...{ ...options, hub, folder, emit, signal, confirm: confirmation(options, signal) },
      ...(verifiedCommit !== undefined && { verifiedCommit }),
    }),
  ).finally(() => giveBack?.())
  if (receipt) await writeJson(path, receipt)
  const said = {
    planned: 'This was a dry run: nothing was changed.',
    'nothing to do': `${repo} is up to date`,
    published: `${receipt?.pullRequest ?? `${hub.url}/${repo}`} has it at ${receipt?.commit.slice(0, 12)}; receipt: ${path}`,
  }[outcome]
  const next = stepsAfter(outcome, root, options)
  emit({ event: 'done', seconds: (performance.now() - started) / 1000, release: said, next })
  return EXIT.done
}

/**
 * No stage may change the model directory while its files are sent. A download, and a directory that this user cannot write,
 * are not worked on.
 * @returns a function that gives it free, if it is held
 * @throws Failure when a stage is at work on it
 */
async function holdModel({ root, model }: ReleaseFolder): Promise<(() => Promise<void>) | undefined> {
  if (root === model || !(await isWritable(model))) return undefined
  return takeLock(join(pathsOf(dirname(model), basename(model)).work, 'lock'), model)
}

/** A dry run is followed by the same command line without `--dry-run`. */
function stepsAfter(
  outcome: Published['outcome'],
  root: string,
  { repo, words }: PublishCommandOptions,
): NextStep[] {
  const folder = shellWord(shortPath(root))
  return outcome === 'planned'
    ? [{ what: 'publish', text: `npm run publish -- ${words.map(shellWord).join(' ')}` }]
    : [{ what: 'verify', text: `npm run package -- verify --from-hub ${repo} --against ${folder}` }]
}

/** The commit that the receipt of an earlier run says was read back. */
async function verifiedBefore(path: string, repo: string, endpoint: string): Promise<string | undefined> {
  const receipt = await readOwn(PUBLISHED, path) // or else everything is read back again
  if (receipt?.repo !== repo || receipt.endpoint !== endpoint) return undefined
  return receipt.verified.readBack === 'none' ? undefined : receipt.verified.commit
}

/** Somebody is asked; nobody there has to have said --yes. */
function confirmation({ yes }: PublishCommandOptions, signal: AbortSignal) {
  return async (question: string): Promise<boolean> => {
    if (yes) return true
    if (!process.stdin.isTTY || !process.stdout.isTTY) {
      throw new Failure(
        `${question} There is no terminal for an answer.`,
        'Add --yes to delete without being asked.',
        EXIT.usage,
      )
    }
    const lines = createInterface({ input: process.stdin, output: process.stdout })
    try {
      return /^y(es)?$/i.test(
        (await lines.question(`${printable(redact(question))} [y/N] `, { signal })).trim(),
      )
    } finally {
      lines.close()
    }
  }
}
