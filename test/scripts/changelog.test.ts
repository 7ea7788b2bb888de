// SPDX-License-Identifier: Apache-2.0

import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { ownVersion } from '../../pipeline/shared/own-version.ts'
import { GROUPS, releaseChangelog } from '../../scripts/changelog.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const FORM = new RegExp(
  [
    '^# Changelog\\n\\n## \\[Unreleased\\]\\n',
    `(?:${groupsForm()})?`,
    `(?:\\n## \\[(?<version>\\d+\\.\\d+\\.\\d+(?:-[\\w.-]+)?)\\] - \\d{4}-[01]\\d-[0-3]\\d\\n${groupsForm()})*$`,
  ].join(''),
)

/** Each group at most once, in the order of keepachangelog.com, with points and their further lines, and no other text. */
function groupsForm(): string {
  return GROUPS.map((group) => `(?:\\n### ${group}\\n\\n- .+\\n(?:- .+\\n|  .+\\n)*)?`).join('')
}

const VERSIONS = /^## \[(\d.*?)\] - (\S+)$/gm

describe('CHANGELOG.md', () => {
  it('keeps the form of a changelog, the newest first', async () => {
    const text = await readFile(join(PROJECT, 'CHANGELOG.md'), 'utf8')
    expect(text).toMatch(FORM)
    const dates = [...text.matchAll(VERSIONS)].map(([, , date = '']) => date)
    expect(dates).toEqual([...dates].sort().reverse())
    const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
    const [newest = version] = [...text.matchAll(VERSIONS)].map(([, released]) => released)
    expect(newest, 'npm version alone runs no script here: npm run release -- minor').toBe(version)
  })

  it.each([
    ['a point without a group', '# Changelog\n\n## [Unreleased]\n\n- something\n'],
    ['a group of no name', '# Changelog\n\n## [Unreleased]\n\n### New\n\n- something\n'],
    ['an empty group', '# Changelog\n\n## [Unreleased]\n\n### Added\n'],
    ['groups out of order', '# Changelog\n\n## [Unreleased]\n\n### Fixed\n\n- a\n\n### Added\n\n- b\n'],
    ['a version without a date', '# Changelog\n\n## [Unreleased]\n\n## [1.0.0]\n\n### Added\n\n- a\n'],
  ])('has %s in no place', (_, text) => expect(text).not.toMatch(FORM))

  const before =
    '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a\n\n## [1.0.0] - 2026-01-31\n\n### Fixed\n\n- b\n'
  it('takes what is unreleased into the section of a version', () => {
    const after = releaseChangelog(before, '1.1.0', '2026-02-01')
    expect(after).toBe(
      '# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2026-02-01\n\n### Added\n\n- a\n\n## [1.0.0] - 2026-01-31\n\n### Fixed\n\n- b\n',
    )
    expect(after).toMatch(FORM)
    expect(() => releaseChangelog(after, '1.2.0', '2026-02-02')).toThrow('of nothing that it is unreleased')
    expect(() => releaseChangelog(before, '1.0.0', '2026-02-02')).toThrow('has a section [1.0.0] already')
    expect(() => releaseChangelog('# Changelog\n', '1.0.0', '2026-02-02')).toThrow('no section [Unreleased]')
  })
})

const COPIED = [
  ...['CHANGELOG.md', 'package.json', 'package-lock.json', '.npmrc', 'tsconfig.json'],
  ...['eval', 'graph-tools', 'pipeline', 'scripts'],
]
const SETTINGS = [
  ...[['user.name', 'Somebody'] as const, ['user.email', 'somebody@example.org'] as const],
  ...[['commit.gpgsign', 'false'] as const, ['tag.gpgsign', 'false'] as const],
]

it('npm run release writes the section, commits it with package.json, and makes the tag that the version comes from', async () => {
  const copy = await temporaryFolder()
  const git = async (...args: string[]) => (await execa('git', args, { cwd: copy })).stdout
  for (const name of COPIED) await cp(join(PROJECT, name), join(copy, name), { recursive: true })
  await symlink(join(PROJECT, 'node_modules'), join(copy, 'node_modules'))
  await writeFile(join(copy, '.gitignore'), 'node_modules\n')
  await git('init', '--quiet')
  for (const setting of SETTINGS) await git('config', ...setting)
  await git('add', '--all')
  await git('commit', '--quiet', '--message', 'the project')
  const unreleased = (await git('show', 'HEAD:CHANGELOG.md')).split(/^## /m)[1] ?? ''
  await execa('npm', ['run', 'release', '--', 'minor'], { cwd: copy })
  const { version } = JSON.parse(await git('show', 'HEAD:package.json'))
  expect(await git('log', '-1', '--format=%s')).toBe(`release: ${version}`)
  expect((await git('show', '--name-only', '--format=', 'HEAD')).split('\n')).toEqual([
    ...['CHANGELOG.md', 'package-lock.json', 'package.json'],
  ])
  const changelog = await git('show', `v${version}:CHANGELOG.md`)
  expect(`${changelog}\n`).toMatch(FORM)
  const today = new Date().toISOString().slice(0, 10)
  expect(changelog).toContain(
    `## [Unreleased]\n\n## [${version}] - ${today}\n${unreleased.replace('[Unreleased]\n', '')}`.trimEnd(),
  )
  const own = { version, commit: await git('rev-parse', 'HEAD'), dirty: false }
  expect(await ownVersion(copy)).toMatchObject(own)

  await expect(execa('npm', ['run', 'release', '--', 'patch'], { cwd: copy })).rejects.toThrow(
    'error: CHANGELOG.md says of nothing that it is unreleased.',
  )
})
