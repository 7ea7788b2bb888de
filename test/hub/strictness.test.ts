// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import type { ModelHub } from './model-hub.ts'
import { askPython } from './python-client.ts'
import {
  askBatch,
  BIG,
  download,
  FILES,
  hubWithRepo,
  noise,
  PART,
  post,
  postCommit,
  REPO,
  SMALL,
  sha256,
  upload,
} from './sample.ts'

describe('strictness', () => {
  async function put(hub: ModelHub, bytes: Uint8Array, init: object = {}): Promise<[number, string]> {
    const { actions } = await askBatch(hub, sha256(SMALL), SMALL.length)
    const response = await fetch(actions?.upload.href ?? '', {
      method: 'PUT',
      body: Buffer.from(bytes),
      ...init,
    })
    return [response.status, await response.text()]
  }

  it('of the storage: length, hash, signature, expiry, no second permission', async () => {
    const hub = await hubWithRepo({ urlLifetimeMs: 60_000 })
    const stream = { body: new Blob([SMALL]).stream(), duplex: 'half' }
    expect(await put(hub, SMALL, stream)).toEqual([501, expect.stringContaining('NotImplemented')])
    expect(await put(hub, noise(5000, 3))).toEqual([400, expect.stringContaining('BadDigest')])
    const headers = { authorization: `Bearer ${hub.token}` }
    expect(await put(hub, SMALL, { headers })).toEqual([400, expect.stringContaining('Only one auth')])
    const { actions } = await askBatch(hub, sha256(SMALL), SMALL.length)
    const href = actions?.upload.href ?? ''
    const forged = await fetch(href.replace('size=5000', 'size=5001'), { method: 'PUT', body: SMALL })
    expect(forged.status).toBe(403)
    hub.expire()
    const expired = await fetch(href, { method: 'PUT', body: SMALL })
    expect([expired.status, await expired.text()]).toEqual([
      403,
      expect.stringContaining('Request has expired'),
    ])
    expect(hub.storedBytes()).toBe(0)
    expect((await put(hub, SMALL))[0]).toBe(200)
    expect((await askBatch(hub, sha256(SMALL), SMALL.length)).actions).toBeUndefined()
    expect((await askBatch(hub, sha256(''), 0)).error?.code).toBe(422)
    const old = await hubWithRepo({ urlLifetimeMs: 0 })
    expect((await put(old, SMALL))[0]).toBe(403)
  })

  it('of uploads in parts: numbers, tags, and the hash of the whole; an upload ends once', async () => {
    const hub = await hubWithRepo()
    const begin = async (content: Buffer) => {
      const { upload } = (await askBatch(hub, sha256(BIG), BIG.length)).actions ?? {}
      const parts: { partNumber: number; etag: string }[] = []
      for (const [number, href] of Object.entries(upload?.header ?? {})) {
        if (number === 'chunk_size') continue
        const at = (Number(number) - 1) * PART
        const response = await fetch(href, { method: 'PUT', body: content.subarray(at, at + PART) })
        parts.push({ partNumber: Number(number), etag: response.headers.get('etag') ?? '' })
      }
      parts.sort((a, b) => a.partNumber - b.partNumber)
      const complete = async (given: object[]) => {
        const body = JSON.stringify({ oid: sha256(BIG), parts: given })
        return (await fetch(upload?.href ?? '', { method: 'POST', body })).status
      }
      return { parts, complete }
    }
    const wrong = await begin(Buffer.concat([BIG.subarray(0, -1), Buffer.from([1])]))
    expect(await wrong.complete(wrong.parts)).toBe(400)
    expect(await wrong.complete(wrong.parts)).toBe(400)
    const short = await begin(BIG)
    expect(await short.complete(short.parts.slice(1))).toBe(400)
    const mixed = await begin(BIG)
    expect(await mixed.complete(short.parts)).toBe(400)
    const right = await begin(BIG)
    expect(right.parts.length).toBe(4)
    expect(await right.complete(right.parts)).toBe(200)
    expect((await askBatch(hub, sha256(BIG), BIG.length)).actions).toBeUndefined()
  })

  it('of commits: all or nothing, on top of the parent, with objects that are there', async () => {
    const hub = await hubWithRepo()
    const head = hub.head(REPO)
    const file = { key: 'file', value: { path: 'a.txt', content: 'YQ==', encoding: 'base64' } }
    const lfs = { path: 'a.onnx', algo: 'sha256', oid: sha256('a'), size: 1 }
    const missing = await postCommit(hub, [file, { key: 'deletedFile', value: { path: 'no.txt' } }])
    expect([missing.status, missing.headers.get('x-error-code')]).toEqual([404, 'EntryNotFound'])
    const bad = [
      [{ key: 'lfsFile', value: lfs }],
      [file, file],
      [{ key: 'file', value: { path: '../a', content: '', encoding: 'utf-8' } }],
      [{ key: 'file', value: { path: 'a', content: 'YQ', encoding: 'base64' } }],
      [{ key: 'file', value: { path: 'a.onnx', content: 'YQ==', encoding: 'base64' } }],
      [{ key: 'move', value: { path: 'a' } }],
    ]
    for (const lines of bad) expect((await postCommit(hub, lines)).status, JSON.stringify(lines)).toBe(400)
    const noHeader = await post(
      hub,
      `/api/models/${REPO}/commit/main`,
      JSON.stringify(file),
      'application/x-ndjson',
    )
    expect(noHeader.status).toBe(400)
    expect(hub.head(REPO)).toBe(head)
    const own = { path: '.gitattributes', content: '*.txt filter=lfs\n', encoding: 'utf-8' }
    const attributes = { key: 'file', value: own }
    expect((await postCommit(hub, [file, attributes])).status).toBe(400)
    const onnx = { key: 'file', value: { path: 'b.onnx', content: 'b', encoding: 'utf-8' } }
    expect((await postCommit(hub, [onnx, attributes])).status).toBe(200)
    expect((await hub.read(REPO, 'b.onnx')).toString()).toBe('b')
    const elsewhere = hub.commitElsewhere(REPO, { 'b/c.txt': 'c', 'b/d.txt': 'd', 'b.onnx': 'onnx' })
    await expect(upload(hub, FILES, { parentCommit: head })).rejects.toMatchObject({ statusCode: 412 })
    const args = { repo: REPO, add: { 'e.txt': 'e' }, delete: ['b/'], parent_commit: elsewhere }
    expect(await askPython(hub, 'commit', args)).toEqual({ oid: hub.head(REPO), pr: null })
    expect([...hub.tree(REPO).keys()].sort()).toEqual(['.gitattributes', 'b.onnx', 'e.txt'])
    expect(hub.commits(REPO).map(({ title }) => title)).toEqual([
      'from Python',
      'from elsewhere',
      'by hand',
      'initial commit',
    ])
  })

  it('of reading: ranges, revisions, entries, lines for large files in .gitattributes', async () => {
    const hub = await hubWithRepo()
    await upload(hub, { ...FILES, 'big file.dat': noise(10_000_000) })
    expect((await hub.read(REPO, '.gitattributes')).toString()).toMatch(
      /\nbig\[\[:space:\]\]file\.dat filter=lfs/,
    )
    const get = async (path: string, range?: string) => {
      const headers = { ...(range !== undefined && { range }), authorization: `Bearer ${hub.token}` }
      const { status, headers: got } = await fetch(`${hub.url}/${REPO}/resolve/${path}`, { headers })
      return [status, got.get('content-range') ?? got.get('x-error-code')]
    }
    expect(await get('main/README.md', 'bytes=2-5')).toEqual([206, 'bytes 2-5/38'])
    expect(await get('main/small.bin', 'bytes=4990-')).toEqual([206, 'bytes 4990-4999/5000'])
    expect(await get('main/small.bin', 'bytes=-10')).toEqual([206, 'bytes 4990-4999/5000'])
    expect(await get('main/small.bin', 'bytes=5000-')).toEqual([416, 'bytes */5000'])
    expect(await get('main/no.bin')).toEqual([404, 'EntryNotFound'])
    expect(await get('no/small.bin')).toEqual([404, 'RevisionNotFound'])
    expect(await download(hub, 'no.bin')).toBeUndefined()
    const redirect = await fetch(`${hub.url}/${REPO}/resolve/main/small.bin`, {
      method: 'HEAD',
      redirect: 'manual',
    })
    expect(redirect.headers.get('x-linked-size')).toBe('5000')
    expect(redirect.headers.get('x-linked-etag')).toBe(`"${sha256(SMALL)}"`)
    expect(redirect.headers.get('x-repo-commit')).toBe(hub.head(REPO))
    expect(redirect.headers.get('location')).toMatch(/^http:\/\/localhost:/)
  })

  it('stores runs of zeros as holes', async () => {
    const folder = await temporaryFolder()
    const hub = await hubWithRepo({ folder, partSize: 8 << 20 })
    const bytes = Buffer.alloc(20 << 20)
    bytes.set(noise(1000), 9 << 20)
    await upload(hub, { 'sparse.onnx': bytes, 'zeros.bin': Buffer.alloc(1 << 20) })
    for (const [path, content] of [
      ['sparse.onnx', bytes],
      ['zeros.bin', Buffer.alloc(1 << 20)],
    ] as const) {
      const { size, blocks } = await stat(join(folder, 'objects', sha256(content)))
      expect([size, blocks * 512 < 256 << 10]).toEqual([content.length, true])
      expect(await download(hub, path)).toBe(sha256(content))
    }
  })
})
