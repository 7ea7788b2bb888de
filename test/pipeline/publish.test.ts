// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Published, type PublishOptions, publish } from '../../pipeline/publish/publish-release.ts'
import { readManifest } from '../../pipeline/release/manifest.ts'
import type { Manifest } from '../../pipeline/release/manifest-schema.ts'
import type { Event } from '../../pipeline/shared/events.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { ownVersion } from '../../pipeline/shared/own-version.ts'
import { fullDiskFor, runCli, startCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { modelHub } from '../helpers/model-hub.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { copyTinyRelease, TINY_NAME } from '../helpers/tiny-release.ts'
import type { Fault, Seen } from '../hub/faults.ts'
import type { ModelHub } from '../hub/model-hub.ts'
import type { HubRequest } from '../hub/state.ts'

const REPO = 'tester/tiny-onnx'
const PART_BYTES = 1 << 20
const MAIN = 'publish'
const PACKAGE = 'package'

interface Ran {
  readonly published?: Published
  readonly notes: string[]
  readonly tables: Extract<Event, { event: 'table' }>[]
  readonly progress: Extract<Event, { event: 'progress' }>[]
  readonly error?: { message: string; hint: string; exitCode: number }
}

/** Publish in this process, quickly tired of waiting. */
async function run(hub: ModelHub, folder: string, more: Partial<PublishOptions> = {}): Promise<Ran> {
  const ran: Ran = { notes: [], tables: [], progress: [] }
  const emit = (event: Event) => {
    if (event.event === 'note') ran.notes.push(event.text)
    if (event.event === 'table') ran.tables.push(event)
    if (event.event === 'progress') ran.progress.push(event)
  }
  const options: PublishOptions = {
    ...{ hub: { url: hub.url, token: hub.token }, folder, repo: REPO, branch: 'main', isPrivate: false },
    ...{ createPr: false, mirror: false, archives: true, useXet: false, allowUngated: false, dryRun: false },
    confirm: async () => true,
    ...{ network: { firstWaitMs: 5, stallMs: 500 }, emit, signal: new AbortController().signal, ...more },
  }
  try {
    return { ...ran, published: await publish(options) }
  } catch (error) {
    return { ...ran, error: describeError(error) }
  }
}

async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'release', 'manifest.json'), 'utf8'))
}

/** Every file of the release is in the repository, byte for byte, as the server has it. */
async function expectWhole(hub: ModelHub, folder: string, revision = 'main'): Promise<void> {
  const { files } = await manifestOf(folder)
  for (const { path, sha256 } of files) {
    const bytes = await hub.read(REPO, path, revision)
    expect(createHash('sha256').update(bytes).digest('hex'), path).toBe(sha256)
  }
  const sums = (await hub.read(REPO, 'SHA256SUMS', revision)).toString()
  expect(sums).toContain('  encoder.onnx\n')
  expect(sums).not.toContain('/')
}

const isPart = ({ method, host }: Seen) => host === 'storage' && method === 'PUT'
/** The answer after which an object is stored. */
const isStored = ({ path, method, status }: HubRequest) =>
  status === 200 && (path === '/api/complete_multipart' || (method === 'PUT' && path.startsWith('/objects/')))
const isCommit = ({ method, path }: Seen) => method === 'POST' && path.includes('/commit/')
const isBatch = ({ path }: Seen) => path.endsWith('/info/lfs/objects/batch')
const to =
  (part: string) =>
  ({ path }: Seen) =>
    path.includes(part)

let parent = ''
let folder = ''
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'qwen3-asr-publish-'))
  folder = await copyTinyRelease(parent)
  return () => rm(parent, { recursive: true, force: true })
})

/** Change a document of a release as if it had been packaged so. */
async function rewriteDocument(model: string, name: string, edit: (text: string) => string): Promise<void> {
  const release = join(model, 'release')
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  const before = await readFile(join(release, name), 'utf8')
  const after = edit(before)
  await writeFile(join(release, name), after)
  for (const [file, of] of [
    ['manifest.json', before],
    ['SHA256SUMS', before],
  ] as const) {
    const text = await readFile(join(release, file), 'utf8')
    const changed = text
      .replace(hash(of), hash(after))
      .replace(
        `"path": "${name}",\n      "size": ${Buffer.byteLength(before)}`,
        `"path": "${name}",\n      "size": ${Buffer.byteLength(after)}`,
      )
    await writeFile(join(release, file), changed)
  }
  const manifest = await readFile(join(release, 'manifest.json'), 'utf8')
  const sums = await readFile(join(release, 'SHA256SUMS'), 'utf8')
  await writeFile(
    join(release, 'SHA256SUMS'),
    sums.replace(/^\w+ {2}manifest\.json$/m, `${hash(manifest)}  manifest.json`),
  )
}

describe('publishing', () => {
  it('makes the repository, brings everything in one commit, and has nothing to do the next time', async () => {
    const hub = await modelHub()
    const first = await run(hub, folder)
    expect(first.error).toBeUndefined()
    await expectWhole(hub, folder)
    expect(hub.repo(REPO)?.private).toBe(false)
    const commits = hub.commits(REPO)
    expect(commits.map(({ title }) => title)).toEqual([
      `${TINY_NAME}: ${TINY_NAME} as ONNX`,
      'initial commit',
    ])
    expect(commits[0]?.description).toBe('Made with npm run pipeline -- --model tiny')
    expect(first.tables[0]?.title).toMatch(/^Plan for tester\/tiny-onnx, main \(new\): add 24 \(13\.\d MB\)$/)
    expect(first.notes).toContain('Made the public repository tester/tiny-onnx')
    // each content goes once, also that of two names, and the token stays on the hub
    const puts = hub.requests.filter(isPart).map(({ path }) => path)
    expect(new Set(puts).size).toBe(puts.length)
    const { files } = await manifestOf(folder)
    const encoder = files.find(({ path }) => path === 'encoder.onnx')
    expect(hub.requests.filter(isBatch).length).toBe(1)
    expect(encoder?.size).toBeGreaterThan(PART_BYTES) // so it went in parts
    for (const { host, path, authorization } of hub.requests) {
      const isApi = host === 'hub' && path !== '/api/complete_multipart'
      expect(authorization).toBe(isApi ? `Bearer ${hub.token}` : undefined)
    }
    expect(first.published?.receipt).toMatchObject({
      ...{ repo: REPO, branch: 'main', commit: hub.head(REPO), parent: commits[1]?.oid, transport: 'lfs' },
      ...{ attempts: 1, retries: 0, verified: { files: 24, readBack: 'sample' } },
    })
    expect(first.published?.receipt?.files.length).toBe(24)
    const upload = first.progress.filter(({ what }) => what === 'upload')
    expect(upload.at(-1)?.done).toBe(upload.at(-1)?.total)
    const before = hub.requests.length
    const again = await run(hub, folder)
    expect(again.published?.outcome).toBe('nothing to do')
    expect(
      hub.requests
        .slice(before)
        .filter(({ method, path }) => method !== 'GET' && !path.includes('validate-yaml')),
    ).toEqual([])
    expect(hub.commits(REPO).length).toBe(2)
  })

  it('makes a branch that has it all already without an empty commit', async () => {
    const hub = await modelHub()
    await run(hub, folder)
    const ran = await run(hub, folder, { branch: 'next', tag: 'v1' })
    expect(ran.published?.outcome).toBe('nothing to do')
    expect(hub.head(REPO, 'next')).toBe(hub.head(REPO))
    expect(hub.head(REPO, 'v1')).toBe(hub.head(REPO))
    expect(hub.commits(REPO, 'next').length).toBe(2)
  })

  it('a dry run prints the plan and writes nothing, without a token too', async () => {
    const hub = await modelHub()
    hub.createRepo(REPO, { files: { 'README.md': 'old', 'notes.txt': 'mine' } })
    const planned = await run(hub, folder, { dryRun: true, hub: { url: hub.url } })
    expect(planned.published).toEqual({ outcome: 'planned' })
    expect(planned.notes[0]).toMatch(/^There is no token for the hub/)
    const rows = planned.tables[0]?.rows.map(([action, path]) => `${action} ${path}`)
    expect(rows).toEqual(
      expect.arrayContaining([
        'update README.md',
        'add encoder.onnx',
        'keep notes.txt',
        'keep .gitattributes',
      ]),
    )
    expect(
      hub.requests.filter(({ method, path }) => method !== 'GET' && !path.includes('validate-yaml')),
    ).toEqual([])
    expect(hub.commits(REPO).length).toBe(2)
  })

  it('sends what differs alone, and leaves what is not its own', async () => {
    const hub = await modelHub()
    await run(hub, folder)
    await hub.commitElsewhere(REPO, { 'notes.txt': 'mine', 'config.json': '{}' })
    const before = hub.requests.length
    const ran = await run(hub, folder)
    expect(ran.tables[0]?.title).toMatch(/update 1 \(.*unchanged 23 \(.*keep 2 \(/)
    expect(hub.requests.slice(before).filter(isPart)).toEqual([])
    await expectWhole(hub, folder)
    expect((await hub.read(REPO, 'notes.txt')).toString()).toBe('mine')
  })

  it('mirrors when requested and confirmed: the rest goes, .gitattributes stays', async () => {
    const hub = await modelHub()
    hub.createRepo(REPO, { files: { 'notes.txt': 'mine', 'old/model.onnx': 'old' } })
    const questions: string[] = []
    const confirm = (answer: boolean) => async (question: string) => {
      questions.push(question)
      return answer
    }
    const refused = await run(hub, folder, { mirror: true, confirm: confirm(false) })
    expect(refused.error).toMatchObject({
      message: expect.stringContaining('Nothing was changed'),
      exitCode: 2,
    })
    expect(hub.commits(REPO).length).toBe(2)
    const ran = await run(hub, folder, { mirror: true, confirm: confirm(true) })
    expect(ran.error).toBeUndefined()
    expect(questions).toEqual(Array(2).fill('Delete 2 files (7 B) of tester/tiny-onnx?'))
    expect(hub.tree(REPO).size).toBe(25)
    expect(hub.tree(REPO).has('.gitattributes')).toBe(true)
    await expectWhole(hub, folder)
  })

  it('takes away what the release that is there has alone, when confirmed: readers look for graphs by name', async () => {
    const hub = await modelHub()
    await run(hub, folder)
    const manifest = await manifestOf(folder)
    const stale = {
      path: 'old.int4.onnx',
      size: 3,
      sha256: '0'.repeat(64),
      role: 'prefill',
      variants: ['int4'],
    }
    const earlier = JSON.stringify({ ...manifest, files: [...manifest.files, stale] })
    const theirs = { 'manifest.json': earlier, 'old.int4.onnx': 'old', 'notes.txt': 'mine' }
    await hub.commitElsewhere(REPO, theirs)
    const questions: string[] = []
    const confirm = (answer: boolean) => async (question: string) => {
      questions.push(question)
      return answer
    }
    const refused = await run(hub, folder, { confirm: confirm(false) })
    expect(refused.error?.message).toContain('Nothing was changed')
    expect(hub.tree(REPO).has('old.int4.onnx')).toBe(true)
    expect((await run(hub, folder, { confirm: confirm(true) })).published?.outcome).toBe('published')
    expect(questions).toEqual(Array(2).fill('Delete 1 file (3 B) of tester/tiny-onnx?'))
    expect(hub.tree(REPO).has('old.int4.onnx')).toBe(false)
    expect(hub.tree(REPO).has('notes.txt')).toBe(true)
    await expectWhole(hub, folder)
    // a manifest that is not a release of this project says nothing
    await hub.commitElsewhere(REPO, { 'manifest.json': '{"files": ["notes.txt"]}' })
    expect((await run(hub, folder)).published?.outcome).toBe('published')
    expect(hub.tree(REPO).has('notes.txt')).toBe(true)
  })

  it('commits to a new branch, tags, opens a pull request, makes a private repository', async () => {
    const hub = await modelHub()
    const options = { branch: 'next', tag: 'v1', message: 'First', isPrivate: true, archives: false }
    const ran = await run(hub, folder, options)
    expect(ran.error).toBeUndefined()
    expect(hub.repo(REPO)?.private).toBe(true)
    expect(hub.tree(REPO).size).toBe(1)
    expect(hub.commits(REPO, 'next')[0]?.title).toBe('First')
    expect([...hub.tree(REPO, 'v1').keys()].filter((path) => path.endsWith('.gz'))).toEqual([])
    const sums = (await hub.read(REPO, 'SHA256SUMS', 'v1')).toString()
    expect(sums.split('\n').length - 1).toBe(21)
    const pull = await run(hub, folder, { createPr: true })
    expect(pull.published?.receipt?.pullRequest).toBe(`${hub.url}/${REPO}/discussions/1`)
    expect(hub.tree(REPO).size).toBe(1)
    await expectWhole(hub, folder, 'refs/pr/1')
    // a tag that people have pinned does not move, and nothing is sent for it
    const moved = await run(hub, folder, { tag: 'v1' })
    expect(moved.error?.message).toMatch(/^The tag v1 of tester\/tiny-onnx is there already, for \w+,/)
    expect(hub.tree(REPO).size).toBe(1)
    expect((await run(hub, folder, { tag: 'v2' })).notes).toContain('Tagged v2')
    const again = await run(hub, folder, { tag: 'v2' })
    expect(again.notes).toContain('The tag v2 is there')
    // a receipt for a commit that this run has read back, and not made
    expect(again.published?.receipt).toMatchObject({ attempts: 0, verified: { readBack: 'sample' } })
    expect(again.published?.receipt?.parent).toBeUndefined()
  })

  it('is what the official client downloads, hash for hash', async () => {
    const hub = await modelHub()
    await run(hub, folder, { tag: 'v1' })
    const out = await temporaryFolder()
    const script = `
import sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
print(snapshot_download(sys.argv[1], revision="v1", local_dir=sys.argv[2]))
assert HfApi().list_repo_refs(sys.argv[1]).tags[0].name == "v1"`
    const env = {
      HF_ENDPOINT: hub.url,
      HF_TOKEN: hub.token,
      HF_HOME: join(out, 'home'),
      HF_HUB_DISABLE_XET: '1',
    }
    await execa(await stagePython(), ['-c', script, REPO, join(out, 'model')], { env })
    await execa('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: join(out, 'model') })
    const names = (await readdir(join(out, 'model'))).filter((name) => !name.startsWith('.'))
    expect(names.length).toBe(24)
  })
})

describe('publishing by xet', () => {
  it('brings the same bytes, with the token of the storage it is for; a broken xorb is sent again', async () => {
    const hub = await modelHub({ xet: true })
    hub.faults.push(
      { kind: 'status', status: 503, on: to('/xorbs/') },
      { kind: 'reset', afterBytes: 1000, on: to('/shards') },
    )
    const ran = await run(hub, folder, { useXet: true })
    expect(ran.error).toBeUndefined()
    await expectWhole(hub, folder)
    expect(ran.published?.receipt?.transport).toBe('xet')
    expect(hub.requests.filter(isPart)).toEqual([])
    const cas = hub.requests.filter(({ host }) => host === 'cas')
    expect(cas.length).toBeGreaterThan(4)
    for (const { authorization } of cas) expect(authorization).toMatch(/^Bearer write\./)
    const again = await run(hub, folder, { useXet: true })
    expect(again.published?.outcome).toBe('nothing to do')
  })

  it('falls back to plain uploads where the hub has no xet', async () => {
    const hub = await modelHub()
    expect((await run(hub, folder, { useXet: true })).error).toBeUndefined()
    await expectWhole(hub, folder)
    expect(hub.requests.filter(isPart).length).toBeGreaterThan(0)
  })
})

describe('faults on the way', () => {
  const retry = { 'retry-after': '0' }
  const status = (status: number, on: (request: Seen) => boolean, headers = {}): Fault => ({
    kind: 'status',
    status,
    on,
    headers,
  })
  const transient: [string, Fault[]][] = [
    ['429 for a batch', [status(429, isBatch, retry)]],
    ['429 with RateLimit for a part', [status(429, isPart, { ratelimit: '"api";r=0;t=0' })]],
    ['500 and 503 for parts', [status(500, isPart), status(503, isPart)]],
    ['503 for preupload', [status(503, to('/preupload/'), retry)]],
    ['429 for the commit', [status(429, isCommit, retry)]],
    ['a reset in the middle of a part', [{ kind: 'reset', afterBytes: 300_000, on: isPart }]],
    ['a storage that takes nothing', [{ kind: 'stall', on: isPart }]],
    ['a lost answer to a part', [{ kind: 'lost-response', on: isPart }]],
    [
      'a lost answer to the end of an upload in parts',
      [{ kind: 'lost-response', on: to('/complete_multipart') }],
    ],
    ['an address too few', [{ kind: 'wrong-part-count', on: isBatch }]],
    ['no ETag', [{ kind: 'missing-etag', on: to('/uploads/') }]],
    ['addresses that expired', [{ kind: 'status', status: 403, on: isPart }]],
    [
      'an answer that ends early',
      [
        {
          kind: 'truncate',
          afterBytes: 1000,
          on: ({ method, host }) => host === 'storage' && method === 'GET',
        },
      ],
    ],
    ['500 for the commit', [status(500, isCommit)]],
    ['a connection that dies before the commit', [{ kind: 'reset', afterBytes: 0, on: isCommit }]],
  ]
  it.each(transient)('%s: it ends well', async (_, faults) => {
    const hub = await modelHub()
    hub.faults.push(...faults.map((fault) => ({ ...fault })))
    const ran = await run(hub, folder)
    expect(ran.error).toBeUndefined()
    expect(hub.faults).toEqual([])
    await expectWhole(hub, folder)
    expect(hub.commits(REPO).length).toBe(2)
    const last = ran.progress.filter(({ what }) => what === 'upload').at(-1)
    expect(last?.done).toBe(last?.total)
  })

  it('addresses that all expire in between are requested again; what is stored is not sent again', async () => {
    const hub = await modelHub()
    let puts = 0
    const third = (request: Seen) => isPart(request) && ++puts === 8
    hub.faults.push({ kind: 'before', on: third, run: () => hub.expire() })
    const ran = await run(hub, folder)
    expect(ran.error).toBeUndefined()
    expect(hub.requests.filter(isBatch).length).toBe(2)
    const stored = hub.requests.filter(isStored).map(({ sha }) => sha)
    expect(new Set(stored).size).toBe(stored.length)
    expect(ran.published?.receipt?.attempts).toBe(2)
  })

  it.each(['lost-response', 'gateway-timeout'] as const)(
    'a commit that was made although its answer was lost (%s) is found, and not made again',
    async (kind) => {
      const hub = await modelHub()
      hub.faults.push({ kind, on: isCommit })
      const ran = await run(hub, folder)
      expect(ran.error).toBeUndefined()
      expect(ran.published?.receipt?.commit).toBe(hub.head(REPO))
      expect(hub.commits(REPO).length).toBe(2)
      hub.faults.push({ kind, on: isCommit })
      await hub.commitElsewhere(REPO, { 'config.json': '{}' })
      const pull = await run(hub, folder, { createPr: true })
      expect(pull.error).toBeUndefined()
      expect(hub.repo(REPO)?.pullRequests.size).toBe(1)
      expect(pull.published?.receipt?.pullRequest).toBe(`${hub.url}/${REPO}/discussions/1`)
    },
  )

  it('does not overwrite what somebody else has committed meanwhile', async () => {
    const hub = await modelHub()
    hub.createRepo(REPO)
    hub.faults.push({
      kind: 'before',
      on: isCommit,
      run: () => hub.commitElsewhere(REPO, { 'config.json': '{"mine":1}' }),
    })
    const ran = await run(hub, folder)
    expect(ran.error?.message).toMatch(
      /^Another commit was made to tester\/tiny-onnx, main, since the plan was made \(\w+, now \w+\)\. Nothing was changed\.$/,
    )
    expect(ran.error?.hint).toBe('Run the same command again to see the new plan.')
    expect((await hub.read(REPO, 'config.json')).toString()).toBe('{"mine":1}')
    const again = await run(hub, folder)
    expect(again.tables[0]?.rows.map(([action, path]) => `${action} ${path}`)).toContain('update config.json')
    expect(again.error).toBeUndefined()
  })

  it('finds that the storage holds other bytes than it was sent, though the tree looks right', async () => {
    const hub = await modelHub({ partSize: 1 << 24 })
    hub.faults.push({ kind: 'store-corrupt', on: isPart })
    // the next run finds the commit, and must not take it for right
    for (let round = 0; round < 2; round++) {
      const ran = await run(hub, folder, { tag: 'v1' })
      expect(ran.error?.message).toMatch(
        /tester\/tiny-onnx at \w+ is not right: .* is stored with other bytes/,
      )
      expect(ran.error?.exitCode).toBe(3)
    }
    expect(hub.commits(REPO).length).toBe(2)
    expect(await (await fetch(`${hub.url}/api/models/${REPO}/refs`)).json()).toMatchObject({ tags: [] })
    const clean = await modelHub()
    const commit = (await run(clean, folder)).published?.receipt?.commit ?? ''
    const { files } = await manifestOf(folder)
    await clean.corrupt(files.find(({ path }) => path === 'encoder.onnx')?.sha256 ?? '')
    expect((await run(clean, folder, { verifiedCommit: commit })).published).toEqual({
      outcome: 'nothing to do',
    })
    expect((await run(clean, folder)).error?.message).toContain(
      'encoder.int4.onnx is stored with other bytes',
    )
    expect((await run(clean, folder, { readBack: 'full' })).error?.message).toContain(
      'encoder.int4.onnx is stored with other bytes',
    )
  })

  it('gives up when nothing gets on, says why, and continues the next time', async () => {
    const hub = await modelHub()
    hub.faults.push({ kind: 'status', status: 503, on: isPart, times: 1000 })
    const ran = await run(hub, folder, { network: { firstWaitMs: 1, stallMs: 500 } })
    expect(ran.error?.message).toMatch(
      /^http:\/\/localhost:\d+\/\w+\/[\w-]+(\/\d+)? answers 503 Service Unavailable$/,
    )
    expect(ran.error?.hint).toContain('run the same command again')
    expect(hub.commits(REPO).length).toBe(1)
    hub.faults.length = 0
    expect((await run(hub, folder)).published?.outcome).toBe('published')
  })

  it('documents are those that were looked at, whatever becomes of them while the large files go', async () => {
    const model = await copyTinyRelease()
    const config = join(model, 'config.json')
    const right = await readFile(config, 'utf8')
    const hub = await modelHub()
    hub.faults.push({
      ...{ kind: 'before', on: isPart },
      run: () => writeFile(config, right.replace('qwen3_asr', 'other_asr')),
    })
    expect((await run(hub, model)).published?.outcome).toBe('published')
    expect(await readFile(config, 'utf8')).not.toBe(right)
    expect((await hub.read(REPO, 'config.json')).toString()).toBe(right)
    await expectWhole(hub, model)
  })

  it.each([
    ['an archive', join('release', `${TINY_NAME}.tar.gz`)],
    ['a file of the model directory', 'embed_tokens.bin'],
  ])('a release of which %s changes while it is sent is noticed', async (_, name) => {
    const model = await copyTinyRelease()
    const archive = join(model, name)
    const hub = await modelHub()
    const bytes = await readFile(archive)
    const flipped = Buffer.from(bytes)
    flipped[50] = (flipped[50] ?? 0) ^ 1
    hub.faults.push({ kind: 'before', on: to('/preupload/'), run: () => writeFile(archive, flipped) })
    expect((await run(hub, model)).error?.message).toContain(
      'A file of the release has changed since it was checked',
    )
    await writeFile(archive, bytes)
    hub.faults.push({ kind: 'before', on: isBatch, run: () => truncate(archive, 1000) })
    expect((await run(hub, model)).error?.message).toMatch(
      /^\S+\.(tar\.gz|bin) became shorter while it was read\.$/,
    )
    await writeFile(archive, bytes)
    hub.faults.push({ kind: 'before', on: isBatch, run: () => rm(archive) })
    const before = hub.requests.filter(isPart).length
    expect((await run(hub, model)).error?.message).toMatch(
      /^ENOENT: no such file or directory, open '.*\.(tar\.gz|bin)'$/,
    )
    expect(hub.requests.filter(isPart).length - before).toBeLessThan(30) // a bad disk is no bad line
    expect(hub.commits(REPO).length).toBe(1)
  })
})

describe('what is not published', () => {
  it('a release without its gates, unless an option says so; a release that is not right', async () => {
    const model = await copyTinyRelease()
    const hub = await modelHub()
    const manifest = join(model, 'release', 'manifest.json')
    const text = await readFile(manifest, 'utf8')
    const sums = join(model, 'release', 'SHA256SUMS')
    const right = await readFile(sums, 'utf8')
    const ungated = text.replace('"ungated": []', '"ungated": ["WER was not measured."]')
    const sha256 = (content: string) => createHash('sha256').update(content).digest('hex')
    await writeFile(manifest, ungated)
    await writeFile(sums, right.replace(sha256(text), sha256(ungated)))
    const ran = await run(hub, model)
    expect(ran.error).toMatchObject({
      message: expect.stringContaining('was not validated: WER was not measured.'),
      exitCode: 3,
    })
    expect(hub.requests).toEqual([])
    expect((await run(hub, model, { allowUngated: true, dryRun: true })).published?.outcome).toBe('planned')
    await writeFile(manifest, text)
    for (const [content, problem] of [
      ['garbage', 'SHA256SUMS differs from manifest.json.'],
      [undefined, 'SHA256SUMS is missing.'],
    ] as const) {
      await (content === undefined ? rm(sums) : writeFile(sums, content))
      expect((await run(hub, model)).error).toMatchObject({
        message: expect.stringContaining(problem),
        exitCode: 3,
      })
    }
    await writeFile(sums, right)
    await writeFile(join(model, 'release', 'extra.onnx'), 'x')
    expect((await run(hub, model)).error).toMatchObject({
      message: expect.stringContaining('extra.onnx is not in the manifest.'),
      exitCode: 3,
    })
    await rm(join(model, 'release', 'extra.onnx'))
    await rewriteDocument(model, 'README.md', (card) => card.replace('license: apache-2.0\n', ''))
    const card = await run(hub, model)
    expect(card.error?.message).toBe('The hub does not accept README.md: "license" must be a string')
    expect(hub.requests.filter(isPart)).toEqual([])
  })

  it.each([
    ['hf_wrong', 'The hub does not accept the token.'],
    [undefined, 'There is no token for the hub, so nothing can be published.'],
  ])('with the token %s', async (token, message) => {
    const hub = await modelHub()
    const ran = await run(hub, folder, { hub: { url: hub.url, ...(token !== undefined && { token }) } })
    expect(ran.error?.message).toBe(message)
    expect(hub.repo(REPO)).toBeUndefined()
  })
})

describe('npm run publish', () => {
  const environment = (hub: ModelHub, more = {}) => ({
    HF_ENDPOINT: `${hub.url}/`,
    HF_TOKEN: hub.token,
    HF_HOME: '/nonexistent',
    ...more,
  })

  it('publishes, leaves a receipt, has nothing to do then; verify --from-hub agrees', async () => {
    const model = await copyTinyRelease()
    const hub = await modelHub()
    const env = environment(hub)
    const first = await runCli([model, '--repo', REPO, '--tag', 'v1', '--verify', 'full'], env, MAIN)
    expect(first.exitCode).toBe(0)
    expect(first.stdout).toMatch(
      /Done in .*\. http:\/\/127.*\/tester\/tiny-onnx has it at \w{12}; receipt: .*publish-receipt\.json/,
    )
    const receipt = JSON.parse(await readFile(join(model, 'publish-receipt.json'), 'utf8'))
    expect(receipt).toMatchObject({ commit: hub.head(REPO), tag: 'v1', verified: { readBack: 'full' } })
    const { name, software } = await readManifest(join(model, 'release'))
    expect(receipt.software).toEqual(await ownVersion())
    expect(receipt.release).toEqual({ name, software })
    expect(software).toMatchObject({ name: 'qwen3-asr-onnx', version: expect.any(String) })
    const again = await runCli([model, '--repo', REPO], env, MAIN)
    expect(again.stdout).toContain('Nothing to do')
    expect(again.exitCode).toBe(0)
    const keep = join(await temporaryFolder(), 'fetched')
    hub.faults.push({
      kind: 'truncate',
      afterBytes: 5000,
      on: ({ method, host }) => host === 'storage' && method === 'GET',
    })
    const args = ['verify', '--from-hub', `${REPO}@v1`, '--against', model, '--keep', keep, '--threads', '1']
    const verified = await runCli(args, env, PACKAGE)
    expect(verified.stdout).toMatch(/int4 transcribes +pass +"One seven zero two nine two\."/)
    expect(verified.stdout).toMatch(/same as local +pass +22 files the same, 0 differences/)
    expect(verified.exitCode).toBe(0)
    const before = hub.requests.length
    expect((await runCli(args, env, PACKAGE)).exitCode).toBe(0)
    expect(hub.requests.slice(before).filter(({ host }) => host === 'storage')).toEqual([])
    await hub.commitElsewhere(REPO, { 'decoder.int4.onnx': 'other', 'config.json': null })
    const harmed = await runCli(['verify', '--from-hub', REPO, '--threads', '1'], env, PACKAGE)
    expect(harmed.stdout).toMatch(/decoder\.int4\.onnx has 5 bytes in the repository, wanted \d+\./)
    expect(harmed.stdout).toContain('config.json is in the manifest, but not in the repository.')
    expect(harmed.exitCode).toBe(3)
    const full = await runCli(
      ['verify', '--from-hub', `${REPO}@v1`],
      { ...env, ...fullDiskFor('.partial') },
      PACKAGE,
    )
    expect(full.stdout).toContain('error: The disk is full')
    const nowhere = await runCli(['verify', '--from-hub', `${REPO}@nope`], env, PACKAGE)
    expect(nowhere.stdout).toContain(
      'error: The hub has no model tester/tiny-onnx at nope, or you may not see it.',
    )
  })

  it('a dry run ends with the command line that does it', async () => {
    const hub = await modelHub()
    const args = ['--repo', REPO, '--branch', 'next', folder, '--dry-run', '--message', "it's here"]
    const { stdout, exitCode } = await runCli(args, environment(hub), MAIN)
    expect(stdout).toContain(
      `npm run publish -- --repo ${REPO} --branch next ${folder} --message 'it'\\''s here'`,
    )
    expect(exitCode).toBe(0)
  })

  it('needs a confirmation before it deletes: without a terminal, --yes', async () => {
    const hub = await modelHub()
    hub.createRepo(REPO, { files: { 'notes.txt': 'mine' } })
    const asked = await runCli([folder, '--repo', REPO, '--mirror'], environment(hub), MAIN)
    expect(asked.stdout).toContain(
      'error: Delete 1 file (4 B) of tester/tiny-onnx? There is no terminal for an answer.',
    )
    expect(asked.exitCode).toBe(2)
    expect(hub.tree(REPO).has('notes.txt')).toBe(true)
    const receipt = join(await temporaryFolder(), 'receipt.json')
    const ended = await runCli(
      [folder, '--repo', REPO, '--mirror', '--yes', '--receipt', receipt],
      environment(hub),
      MAIN,
    )
    expect(ended.exitCode).toBe(0)
    expect(hub.tree(REPO).has('notes.txt')).toBe(false)
  })

  it('a kill in the middle: the next run sends the unfinished file again, and no other', async () => {
    const hub = await modelHub()
    const child = startCli([folder, '--repo', REPO], environment(hub), MAIN)
    let completions = 0
    const second = ({ path, method }: Seen) =>
      method === 'PUT' && completions >= 1 && path.startsWith('/uploads/')
    hub.faults.push({
      kind: 'before',
      on: ({ path }) => path === '/api/complete_multipart' && ++completions < 0,
      run: () => {},
    })
    hub.faults.push({ kind: 'before', on: second, run: () => child.kill('SIGKILL') })
    expect((await child).signal).toBe('SIGKILL')
    expect(hub.commits(REPO).length).toBe(1)
    const before = hub.requests.length
    const done = new Set(hub.requests.filter(isStored).map(({ sha }) => sha))
    expect(done.size).toBeGreaterThan(0)
    const ended = await runCli([folder, '--repo', REPO], environment(hub), MAIN)
    expect(ended.exitCode).toBe(0)
    const { files } = await manifestOf(folder)
    const lfs = new Set([...hub.tree(REPO).values()].flatMap(({ lfs }) => lfs?.oid ?? []))
    const sent = hub.requests.slice(before).filter(isStored)
    expect(done.size + sent.length).toBe(lfs.size)
    expect(files.length).toBeGreaterThan(lfs.size)
    await expectWhole(hub, folder)
  })

  it('shows the token and signed addresses nowhere', async () => {
    const hub = await modelHub({ token: 'hf_verysecrettoken' })
    hub.faults.push({ kind: 'status', status: 400, on: isPart, times: 1000, readBody: true })
    const child = startCli([folder, '--repo', REPO, '--debug', '--json'], environment(hub), MAIN)
    const commandLine = await readFile(`/proc/${child.pid}/cmdline`, 'utf8')
    let failedAt = 0
    child.stdout.on('data', (text) => {
      if (String(text).includes('"event":"failure"')) failedAt = performance.now()
    })
    const failed = await child
    expect(performance.now() - failedAt).toBeLessThan(5000) // nothing holds up the exit
    expect(failed.exitCode).toBe(1)
    expect(failed.stdout).toContain('"event":"failure"')
    hub.faults.length = 0
    const receipt = join(await temporaryFolder(), 'receipt.json')
    const ended = await runCli([folder, '--repo', REPO, '--receipt', receipt], environment(hub), MAIN)
    expect(ended.exitCode).toBe(0)
    const said = [
      commandLine,
      failed.stdout,
      failed.stderr,
      ended.stdout,
      ended.stderr,
      await readFile(receipt, 'utf8'),
    ].join('\n')
    expect(said).not.toContain('hf_verysecrettoken')
    expect(said).not.toMatch(/Signature|\?expires/)
  })

  it('takes the token that the official client has saved', async () => {
    const hub = await modelHub({ token: 'hf_fromafile' })
    const home = await temporaryFolder()
    await writeFile(join(home, 'token'), 'hf_fromafile\n')
    hub.faults.push({ kind: 'status', status: 403, on: to('/preupload/') })
    const env = environment(hub, { HF_TOKEN: undefined, HF_HOME: home })
    const refused = await runCli([folder, '--repo', REPO], env, MAIN)
    expect(refused.stdout).toContain('error: The token may not write to tester/tiny-onnx (403).')
    expect(refused.stdout).not.toContain('hf_fromafile')
  })

  it('is the last stage of the pipeline, which only says what it would do by default', async () => {
    const hub = await modelHub()
    const output = await temporaryFolder()
    await execa('cp', ['-a', join(await sharedReleases(), TINY_NAME), output]) // with times to the nanosecond, as stamps want
    const args = [
      '--model',
      'tiny',
      '--output',
      output,
      '--threads',
      '1',
      '--repo',
      REPO,
      '--only',
      'publish',
    ]
    const planned = await runCli(args, environment(hub))
    expect(planned.stdout).toContain('Plan for tester/tiny-onnx, main (new): add 24')
    expect(hub.repo(REPO)).toBeUndefined()
    const ended = await runCli([...args, '--no-dry-run'], environment(hub))
    expect(ended.exitCode).toBe(0)
    await expectWhole(hub, join(output, TINY_NAME))
    expect(await readdir(join(output, TINY_NAME))).toContain('publish-receipt.json')
  })

  it.each([
    [['--repo', 'x/y', '--repo', 'x/z'], '--repo is given 2 times, wanted once.'],
    [['--repo', 'x'], '"x" is not a repository of the hub.'],
    [['--repo', 'YOUR-NAME/tiny-onnx'], 'YOUR-NAME/tiny-onnx is an example of a repository.'],
    [
      ['--repo', 'x/y', '--branch', '../x'],
      '--branch is "../x", wanted letters, digits, dots, dashes and slashes.',
    ],
    [[], 'Missing required argument: repo'],
  ])('%j is wrong usage', async (args, message) => {
    const ended = await runCli([folder, ...args], { HF_ENDPOINT: 'http://127.0.0.1:1' }, MAIN)
    expect(ended.stdout).toContain(`error: ${message}`)
    expect(ended.exitCode).toBe(2)
  })
})
