// SPDX-License-Identifier: Apache-2.0

import { readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import { readChecked } from '../../eval/checked-json.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { about, type Parsed, shape, text, truth } from '../../eval/runtime/schema.ts'
import { checkedText } from './checked.ts'
import { exists } from './output-files.ts'
import { webAddress } from './web-address.ts'

/** This software, as what it makes names it. It holds no path, host or user name. */
export const SOFTWARE = shape({
  name: about('Name of the package.', text),
  version: about(
    'Its version. Between two releases, how many commits after the last one, and which: `0.1.0+5.g0123456789ab`.',
    text,
  ),
  repository: v.exactOptional(about('Where the project is found.', text)),
  commit: v.exactOptional(about('Its commit.', text)),
  dirty: v.exactOptional(about('Whether tracked files differed from that commit.', truth)),
})
/** Which version of this project made something. */
export type Software = Parsed<typeof SOFTWARE>

/** Written beside built code, where there is no git. */
export const BUILD_FILE = 'build.json'

const HINT = 'Get the project again.'
const PACKAGE = shape({ name: text, version: text })
const ROOT = join(import.meta.dirname, '..', '..')
/** `git describe --long` of a tag that `npm version` makes. */
const DESCRIBED = /^v(?<version>\d+\.\d+\.\d+(?:-[\w.-]+?)?)-(?<commits>\d+)-g[0-9a-f]+$/
const ABBREVIATED = 12

/**
 * Which software this is: what its build noted, or else what git says, or else package.json alone.
 * @param root of the sources, or of the built code
 * @throws SpeechError or Failure when build.json or package.json is damaged
 */
export async function ownVersion(root = ROOT): Promise<Software> {
  const built = await readChecked(SOFTWARE, join(root, BUILD_FILE), HINT)
  return built ?? versionOf(root)
}

/**
 * The same without a note of a build, for that note. Git is asked only where it keeps this very folder: a package that is
 * installed in somebody's repository has nothing to do with its commits.
 */
export async function versionOf(root = ROOT): Promise<Software> {
  const folder = await packageFolder(root)
  const file = join(folder, 'package.json')
  const own = checkedText(PACKAGE, await readFile(file, 'utf8'), { file, hint: HINT })
  const git = gitIn(folder)
  const top = await git('rev-parse', '--show-toplevel')
  const commit = await git('rev-parse', '--verify', 'HEAD')
  const isOwn = top !== undefined && (await realpath(top)) === (await realpath(folder))
  if (!isOwn || commit === undefined) return own
  const dirty = (await git('status', '--porcelain', '--untracked-files=no')) !== ''
  const described = await git('describe', '--tags', '--match=v[0-9]*.[0-9]*.[0-9]*', '--long', 'HEAD')
  return defined({
    name: own.name,
    version: versionAt({ described, last: own.version, commit, dirty }),
    repository: webAddress((await remoteOf(git)) ?? ''),
    commit,
    dirty,
  })
}

/** Built code lies in a folder of the package. */
async function packageFolder(root: string): Promise<string> {
  return (await exists(join(root, 'package.json'))) ? root : dirname(root)
}

/**
 * At a tag, its version. Behind it, with build metadata (https://semver.org, 10), which do not change the order of versions:
 * as a pre-release, the same would stand before the version that it comes after, and the next version is not known yet.
 */
function versionAt({
  described,
  last,
  commit,
  dirty,
}: {
  readonly described: string | undefined
  /** of package.json */
  readonly last: string
  readonly commit: string
  readonly dirty: boolean
}): string {
  const { version = last, commits } = DESCRIBED.exec(described ?? '')?.groups ?? {}
  if (commits === '0' && !dirty) return version
  const parts = [commits, `g${commit.slice(0, ABBREVIATED)}`, dirty ? 'dirty' : undefined]
  return `${version}+${parts.filter((part) => part !== undefined).join('.')}`
}

type Git = (...args: string[]) => Promise<string | undefined>

/** What git prints; undefined where it fails, or there is none. */
function gitIn(cwd: string): Git {
  // inside of a hook, git's variables name another repository; a look should not wait for, or write, the index
  const env = {
    GIT_DIR: undefined,
    GIT_WORK_TREE: undefined,
    GIT_INDEX_FILE: undefined,
    GIT_OPTIONAL_LOCKS: '0',
  }
  return async (...args) => {
    const { stdout, failed } = await execa('git', args, { cwd, env, reject: false })
    return failed ? undefined : stdout
  }
}

/** The address of `origin`, or of the only other one. */
async function remoteOf(git: Git): Promise<string | undefined> {
  const names = (await git('remote'))?.split('\n').filter(Boolean) ?? []
  const name = names.includes('origin') ? 'origin' : names.length === 1 ? names[0] : undefined
  return name === undefined ? undefined : git('remote', 'get-url', name)
}
