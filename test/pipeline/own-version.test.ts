// SPDX-License-Identifier: Apache-2.0

import { appendFile, cp, mkdir, writeFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { ownVersion, SOFTWARE, versionOf } from '../../pipeline/shared/own-version.ts'
import { webAddress } from '../../pipeline/shared/web-address.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const PACKAGE = { name: 'some-tool', version: '1.2.3' }
const AUTHOR = [
  '-c',
  'user.name=Somebody',
  '-c',
  'user.email=somebody@example.org',
  '-c',
  'commit.gpgsign=false',
]

async function packageIn(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify(PACKAGE))
  return folder
}

const git = async (cwd: string, ...args: string[]) =>
  (await execa('git', [...AUTHOR, ...args], { cwd })).stdout

/** @returns its commit */
async function commitAll(folder: string): Promise<string> {
  await git(folder, 'add', '--all')
  await git(folder, 'commit', '--quiet', '--allow-empty', '--message', 'something')
  return git(folder, 'rev-parse', 'HEAD')
}

async function repository(): Promise<string> {
  const folder = await packageIn(await temporaryFolder())
  await git(folder, 'init', '--quiet')
  return folder
}

describe('the version', () => {
  it('is that of a tag at it, and behind it says how many commits after it, and which', async () => {
    const folder = await repository()
    const first = await commitAll(folder)
    expect(await ownVersion(folder)).toEqual({
      ...{ name: 'some-tool', version: `1.2.3+g${first.slice(0, 12)}`, commit: first, dirty: false },
    })
    await git(folder, 'tag', '--annotate', 'v1.2.3', '--message', '1.2.3')
    await git(folder, 'tag', 'v1') // as actions have, which moves
    expect(await ownVersion(folder)).toEqual({ ...PACKAGE, commit: first, dirty: false })
    await commitAll(folder)
    const third = await commitAll(folder)
    expect((await ownVersion(folder)).version).toBe(`1.2.3+2.g${third.slice(0, 12)}`)
    await git(folder, 'tag', 'v2.0.0-rc.1')
    expect((await ownVersion(folder)).version).toBe('2.0.0-rc.1')
  })

  it('says that tracked files were changed, and nothing of others', async () => {
    const folder = await repository()
    const commit = await commitAll(folder)
    await git(folder, 'tag', 'v1.2.3')
    await writeFile(join(folder, 'notes.txt'), 'mine')
    expect(await ownVersion(folder)).toMatchObject({ version: '1.2.3', dirty: false })
    await appendFile(join(folder, 'package.json'), '\n')
    const version = `1.2.3+0.g${commit.slice(0, 12)}.dirty`
    expect(await ownVersion(folder)).toMatchObject({ version, dirty: true })
  })

  it('is not that of a repository around it', async () => {
    const around = await repository()
    await git(around, 'remote', 'add', 'origin', 'https://github.com/somebody/else')
    const inside = await packageIn(join(around, 'node_modules', 'some-tool'))
    await commitAll(around)
    expect(await ownVersion(inside)).toEqual(PACKAGE)
    expect(await ownVersion(await packageIn(await temporaryFolder()))).toEqual(PACKAGE)
  })

  it('does not come from the variables that git gives to hooks', async () => {
    const [folder, other] = [await repository(), await repository()]
    const commit = await commitAll(folder)
    await commitAll(other)
    const script = `import { ownVersion } from './pipeline/shared/own-version.ts'
      console.log(JSON.stringify(await ownVersion(process.argv[1])))`
    const { stdout } = await execa(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script, folder],
      { cwd: PROJECT, env: { GIT_DIR: join(other, '.git'), GIT_WORK_TREE: other } },
    )
    expect(JSON.parse(stdout)).toMatchObject({ commit })
  })

  it('of built code is what its build noted', async () => {
    const folder = await repository()
    await git(folder, 'remote', 'add', 'origin', 'git@github.com:owner/some-tool.git')
    await commitAll(folder)
    const built = join(folder, 'dist')
    await mkdir(built)
    const noted = await versionOf(folder)
    expect(noted.repository).toBe('https://github.com/owner/some-tool')
    expect(await ownVersion(built)).toEqual(noted) // built code lies in the package
    await writeFile(join(built, 'build.json'), JSON.stringify(noted))
    const installed = join(await temporaryFolder(), 'dist')
    await cp(built, installed, { recursive: true })
    expect(await ownVersion(installed)).toEqual(noted)
    await writeFile(join(installed, 'build.json'), '{"name": "some-tool"}')
    await expect(ownVersion(installed)).rejects.toThrow('build.json: version is missing, wanted a string.')
  })

  it('of this project names no path, host or user', async () => {
    const own = await ownVersion()
    expect(v.parse(SOFTWARE, own)).toEqual(own)
    expect(own.name).toBe('qwen3-asr-onnx')
    const said = JSON.stringify(own)
    for (const secret of [PROJECT, hostname()]) expect(said).not.toContain(secret)
    const { username } = userInfo()
    expect(said).not.toContain(`/${username}/`)
    expect(said).not.toContain(`${username}@`)
  })
})

it.each([
  ['https://github.com/owner/name.git', 'https://github.com/owner/name'],
  ['https://github.com/owner/name/', 'https://github.com/owner/name'],
  ['https://me:secret@github.com/owner/name.git', 'https://github.com/owner/name'],
  ['https://github.com/owner/name?token=secret#x', 'https://github.com/owner/name'],
  ['http://git.example.org/owner/name', 'https://git.example.org/owner/name'],
  ['https://git.example.org:8443/owner/name', 'https://git.example.org:8443/owner/name'],
  ['git://git.example.org/owner/name.git', 'https://git.example.org/owner/name'],
  ['git@github.com:owner/name.git', 'https://github.com/owner/name'],
  ['git@gitlab.com:group/below/name.git', 'https://gitlab.com/group/below/name'],
  ['ssh://git@github.com/owner/name.git', 'https://github.com/owner/name'],
  ['ssh://git@ssh.github.com:443/owner/name.git', 'https://github.com/owner/name'],
])('finds %s on the web', (remote, address) => expect(webAddress(remote)).toBe(address))

it.each([
  ...[
    '',
    'somewhere',
    '/srv/git/name.git',
    '../name',
    'file:///srv/git/name.git',
    'C:\\git\\name',
    'C:/git/name',
  ],
  ...['anna@server.example.org:work/name.git', 'ssh://anna@server.example.org/work/name', 'work:owner/name'],
  ...['git@server.example.org:/srv/git/name.git', 'git@server.example.org:~anna/name'],
  ...['https://localhost/owner/name', 'https://git.corp/owner/name', 'https://git.lan:3000/owner/name'],
  ...[
    'http://10.0.0.7/owner/name',
    'http://[fd00::1]/owner/name',
    'https://github.com/name',
    'https://x.org/~anna/name',
  ],
])('takes %j for nothing that others find', (remote) => expect(webAddress(remote)).toBeUndefined())
