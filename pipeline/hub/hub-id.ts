// SPDX-License-Identifier: Apache-2.0

import { EXIT, Failure } from '../shared/failure.ts'
import { PLACEHOLDER } from '../shared/own-commands.ts'

const HUB_ID = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/

/** owner/name, and the revision behind an @; main by default. */
export function parseHubId(text: string): { readonly repo: string; readonly revision: string } | undefined {
  const [, repo, revision = 'main'] = HUB_ID.exec(text) ?? []
  return repo === undefined ? undefined : { repo, revision }
}

/** Whether a text is owner/name, without a revision. */
export function isRepoName(text: string): boolean {
  return parseHubId(text)?.repo === text
}

/**
 * Check that a text is the name of a repository: owner/name.
 * @throws Failure (wrong usage) when it is not
 */
export function checkRepoName(repo: string): void {
  if (repo.startsWith(`${PLACEHOLDER}/`)) {
    const hint = `Write your name on the hub in place of ${PLACEHOLDER}.`
    throw new Failure(`${repo} is an example of a repository.`, hint, EXIT.usage)
  }
  if (isRepoName(repo)) return
  throw new Failure(`${JSON.stringify(repo)} is not a repository of the hub.`, 'Give owner/name.', EXIT.usage)
}
