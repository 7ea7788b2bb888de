// SPDX-License-Identifier: Apache-2.0

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createBranch, createRepo, listCommits, listFiles, modelInfo, whoAmI } from '@huggingface/hub'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import { startModelHub } from './model-hub.ts'
import { askPython } from './python-client.ts'
import {
  access,
  BIG,
  download,
  FILES,
  HASHES,
  hubWithRepo,
  PART,
  post,
  REPO,
  SMALL,
  sha256,
  upload,
} from './sample.ts'

async function folderOf(files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), bytes)
  }
  return folder
}

describe('the two clients', () => {
  it('JS uploads at once, in parts and regular; Python downloads hash for hash', async () => {
    const hub = await hubWithRepo()
    const made = await upload(hub, FILES, { parentCommit: hub.head(REPO) })
    expect(made?.commit.oid).toBe(hub.head(REPO))
    const puts = hub.requests.filter(({ method }) => method === 'PUT')
    expect(puts.map(({ sha, received }) => [sha, received]).sort()).toEqual(
      [
        [sha256(SMALL), SMALL.length],
        ...[PART, PART, PART, 1000].map((length) => [sha256(BIG), length]),
      ].sort(),
    )
    expect(hub.storedBytes()).toBe(BIG.length + SMALL.length)
    const { '.gitattributes': _, ...others } = await askPython<Record<string, string>>(hub, 'snapshot', {
      repo: REPO,
      revision: 'main',
    })
    expect(others).toEqual(HASHES)
    const args = { repo: REPO, path: 'onnx/big.onnx', revision: hub.head(REPO) }
    expect(await askPython(hub, 'download', args)).toBe(sha256(BIG))
    // the token stays on the hub, as with the real one: the storage is on another host
    for (const { host, authorization } of hub.requests)
      if (host === 'storage') expect(authorization).toBeUndefined()
  })

  it('Python uploads a folder, JS downloads; what is there already is not sent again', async () => {
    const hub = await startModelHub({ partSize: PART })
    const folder = await folderOf({ ...FILES, 'empty.bin': Buffer.alloc(0) })
    const oid = await askPython(hub, 'upload', { repo: REPO, folder, commit_message: 'from Python' })
    expect(oid).toBe(hub.head(REPO))
    for (const [path, hash] of Object.entries(HASHES)) expect(await download(hub, path), path).toBe(hash)
    expect(hub.tree(REPO).get('empty.bin')).toMatchObject({ size: 0 })
    expect(hub.requests.filter(({ path }) => path.endsWith('/verify')).map(({ status }) => status)).toEqual([
      200, 200,
    ])
    const before = hub.storedBytes()
    await upload(hub, { 'copy.onnx': BIG })
    expect(hub.storedBytes()).toBe(before)
    expect(hub.tree(REPO).get('copy.onnx')).toEqual(hub.tree(REPO).get('onnx/big.onnx'))
  })

  it('agree with the server about names, trees, refs and commits', async () => {
    const hub = await hubWithRepo()
    await upload(hub, FILES)
    await askPython(hub, 'mark', { repo: REPO, branch: 'other', tag: 'v1' })
    const first = hub.head(REPO)
    const proposal = await upload(hub, { 'x.txt': Buffer.from('x') }, { isPullRequest: true })
    expect(proposal?.pullRequestUrl).toBe(`${hub.url}/${REPO}/discussions/1`)
    expect(hub.head(REPO)).toBe(first)
    const tree = hub.tree(REPO)
    const seen = await askPython<Record<string, unknown>>(hub, 'look', { repo: REPO })
    expect(seen).toEqual({
      ...{ user: 'tester', sha: first, private: false, commits: ['from JS', 'initial commit'] },
      sizes: Object.fromEntries([...tree].map(([path, { size }]) => [path, size])),
      hashes: Object.fromEntries([...tree].map(([path, { oid, lfs }]) => [path, lfs?.oid ?? oid])),
      tree: ['.gitattributes', 'README.md', 'onnx', 'onnx/big.onnx', 'small.bin'],
      ...{ branches: ['main', 'other'], tags: ['v1'], pull_requests: ['refs/pr/1'] },
    })
    const listed: string[] = []
    for await (const { path } of listFiles({ ...access(hub), recursive: true, revision: 'refs%2Fpr%2F1' }))
      listed.push(path)
    expect(listed).toEqual(['.gitattributes', 'README.md', 'onnx', 'onnx/big.onnx', 'small.bin', 'x.txt'])
    expect(hub.requests.filter(({ path }) => path.includes('/tree/refs/pr/1')).length).toBe(2)
    const titles: string[] = []
    for await (const { title } of listCommits({ ...access(hub), batchSize: 1 })) titles.push(title)
    expect(titles).toEqual(['from JS', 'initial commit'])
    expect(await modelInfo({ ...access(hub), name: REPO, additionalFields: ['sha'] })).toMatchObject({
      sha: first,
    })
  })

  it('make what is not there yet, and get an error for what is', async () => {
    const hub = await startModelHub({ user: 'somebody' })
    expect(await whoAmI(access(hub))).toMatchObject({ name: 'somebody' })
    const repo = { ...access(hub), repo: 'somebody/model' }
    await createRepo({ ...repo, visibility: 'private' })
    expect(hub.repo('somebody/model')?.private).toBe(true)
    await expect(createRepo(repo)).rejects.toMatchObject({ statusCode: 409 })
    await expect(createRepo({ ...repo, repo: 'else/model' })).rejects.toMatchObject({ statusCode: 403 })
    await createBranch({ ...repo, branch: 'a/b' })
    await expect(createBranch({ ...repo, branch: 'a/b' })).rejects.toMatchObject({ statusCode: 409 })
    await createBranch({ ...repo, branch: 'a/b', overwrite: true, empty: true })
    expect([...hub.tree('somebody/model', 'a/b')]).toEqual([])
    const tag = () => post(hub, '/api/models/somebody/model/tag/main', '{"tag":"v1"}')
    expect([(await tag()).status, (await tag()).status]).toEqual([200, 409])
    const anonymous = await fetch(`${hub.url}/api/models/somebody/model`)
    expect([anonymous.status, anonymous.headers.get('x-error-code')]).toEqual([401, 'RepoNotFound'])
    hub.createRepo('somebody/public')
    const stranger = (path: string) => fetch(`${hub.url}${path}`, { method: 'POST', body: '{}' })
    for (const path of ['/api/repos/create', '/api/models/somebody/public/commit/main'])
      expect((await stranger(path)).status, path).toBe(401)
    expect((await fetch(`${hub.url}/api/models/somebody/public`)).status).toBe(200)
    const wrong = { headers: { authorization: 'Bearer hf_wrong' } }
    expect((await fetch(`${hub.url}/api/whoami-v2`, wrong)).status).toBe(401)
  })

  it('get a report of what is wrong with a model card', async () => {
    const hub = await hubWithRepo()
    const of = (yaml: string) =>
      askPython<string>(hub, 'failing', {
        ...{
          ask: 'commit',
          arguments: { repo: REPO, add: { 'README.md': `---\n${yaml}\n---\n` }, delete: [] },
        },
      })
    expect(await of('license: [a')).toContain('invalid YAML')
    const text = await of(
      'tags: no\nmodel-index:\n- name: a\n  results:\n  - task: {}\n    metrics: [{type: wer}]',
    )
    for (const part of [
      '"license" must',
      '"tags" must',
      '.task.type"',
      '.dataset.name"',
      'metrics[0].value"',
    ])
      expect(text).toContain(part)
    expect(hub.commits(REPO).length).toBe(1)
  })
})
