// SPDX-License-Identifier: Apache-2.0

import { Failure } from '../pipeline/shared/failure.ts'

/* CHANGELOG.md in the form of https://keepachangelog.com/en/1.1.0. */

const UNRELEASED = '## [Unreleased]\n'
/** Titles of the groups of changes, in the order of Keep a Changelog. */
export const GROUPS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'] as const

/**
 * What stands under Unreleased becomes the section of a version; nothing is unreleased then.
 * @param date as YYYY-MM-DD
 * @throws Failure where there is nothing to release, or the version has a section
 */
export function releaseChangelog(text: string, version: string, date: string): string {
  const start = text.indexOf(UNRELEASED)
  if (start < 0)
    throw new Failure('CHANGELOG.md has no section [Unreleased].', 'Write "## [Unreleased]" below its title.')
  if (text.includes(`\n## [${version}]`))
    throw new Failure(
      `CHANGELOG.md has a section [${version}] already.`,
      'Choose another version, or move its lines to [Unreleased].',
    )
  const [before, after] = [text.slice(0, start), text.slice(start + UNRELEASED.length)]
  const changes = after.split(/^## /m)[0] ?? ''
  if (!/^- /m.test(changes))
    throw new Failure(
      'CHANGELOG.md says of nothing that it is unreleased.',
      'Write below [Unreleased] what users will notice.',
    )
  return `${before}${UNRELEASED}\n## [${version}] - ${date}\n${after}`
}
