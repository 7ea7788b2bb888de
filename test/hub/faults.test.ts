// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import type { Trouble } from './faults.ts'
import type { ModelHub } from './model-hub.ts'
import { access, askBatch, BIG, download, FILES, hubWithRepo, REPO, SMALL, sha256, upload } from './sample.ts'

const COMMIT = /^POST hub .*\/commit\//
const BATCH = /^POST hub .*\/objects\/batch$/
const PART_PUT = /^PUT storage \/uploads\//
const OBJECT_PUT = /^PUT storage \/objects\//
const OBJECT_GET = /^GET storage \/objects\//

/** Let one request go wrong on the way of an upload: nothing may have changed when the upload fails. */
async function uploadWith(on: RegExp, trouble: Trouble): Promise<{ hub: ModelHub; error: unknown }> {
  const hub = await hubWithRepo()
  const before = hub.head(REPO)
  hub.faults.push({ ...trouble, on })
  const error = await upload(hub, FILES, { parentCommit: before }).catch((reason: unknown) => reason)
  expect(hub.faults).toEqual([])
  return { hub, error }
}

const statusOf = (hub: ModelHub, on: RegExp) =>
  hub.requests.filter(({ method, host, path }) => on.test(`${method} ${host} ${path}`)).map((it) => it.status)

it('answers with a status, as often as it is set', async () => {
  const headers = { ratelimit: '"api";r=0;t=55', 'retry-after': '55' }
  const { hub, error } = await uploadWith(BATCH, { kind: 'status', status: 429, headers, readBody: true })
  expect(error).toMatchObject({ statusCode: 429 })
  hub.faults.push({
    kind: 'status',
    status: 503,
    body: 'down',
    on: ({ path }) => path.includes('/tree/'),
    times: 2,
  })
  const tree = () => fetch(`${hub.url}/api/models/${REPO}/tree/main`)
  const answers = [await tree(), await tree(), await tree()]
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 200])
  expect(await answers[0]?.text()).toBe('down')
  expect(statusOf(hub, BATCH)).toEqual([429])
})

it('cuts the connection while a body arrives', async () => {
  for (const on of [PART_PUT, OBJECT_PUT]) {
    const { hub, error } = await uploadWith(on, { kind: 'reset', afterBytes: 1000 })
    expect(error).toMatchObject({ message: 'fetch failed' })
    const [cut] = hub.requests.filter(({ method, status }) => method === 'PUT' && status === 0)
    expect(cut?.received).toBeGreaterThanOrEqual(1000)
    expect(hub.commits(REPO).length).toBe(1)
  }
})

it('stalls', async () => {
  const hub = await hubWithRepo()
  hub.faults.push({ kind: 'stall', on: /whoami/ })
  const signal = AbortSignal.timeout(200)
  await expect(fetch(`${hub.url}/api/whoami-v2`, { signal })).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(hub.requests[0]).toMatchObject({ path: '/api/whoami-v2', status: 0 })
})

it('does what it was asked, and the answer is lost or late', async () => {
  const lost = await uploadWith(COMMIT, { kind: 'lost-response' })
  expect(lost.error).toMatchObject({ message: 'fetch failed' })
  const late = await uploadWith(COMMIT, { kind: 'gateway-timeout' })
  expect(late.error).toMatchObject({ statusCode: 504 })
  for (const { hub } of [lost, late]) {
    expect(hub.commits(REPO).map(({ title }) => title)).toEqual(['from JS', 'initial commit'])
    expect(await download(hub, 'onnx/big.onnx')).toBe(sha256(BIG))
  }
})

it('stores what it did not get: noticed in parts, not at once', async () => {
  const parts = await uploadWith(PART_PUT, { kind: 'store-corrupt' })
  expect(parts.error).toMatchObject({ statusCode: 400 })
  expect(parts.hub.commits(REPO).length).toBe(1)
  const once = await uploadWith(OBJECT_PUT, { kind: 'store-corrupt' })
  expect(once.error).toMatchObject({ commit: { oid: once.hub.head(REPO) } })
  expect(once.hub.tree(REPO).get('small.bin')?.lfs?.oid).toBe(sha256(SMALL))
  const bytes = await once.hub.read(REPO, 'small.bin')
  expect(bytes.length).toBe(SMALL.length)
  expect(bytes.filter((byte, i) => byte !== SMALL[i]).length).toBe(1)
  await once.hub.corrupt(sha256(SMALL))
  expect(await download(once.hub, 'small.bin')).toBe(sha256(SMALL))
})

it('forgets an ETag, or an address of a part', async () => {
  const tag = await uploadWith(PART_PUT, { kind: 'missing-etag' })
  expect(tag.error).toMatchObject({ message: 'Cannot get ETag of part during multipart upload' })
  const hub = await hubWithRepo()
  const parts = async () => {
    const { actions } = await askBatch(hub, sha256(BIG), BIG.length)
    return Object.keys(actions?.upload.header ?? {}).filter((key) => key !== 'chunk_size')
  }
  hub.faults.push({ kind: 'wrong-part-count', on: BATCH })
  expect(await parts()).toEqual(['00001', '00002', '00003'])
  expect(await parts()).toEqual(['00001', '00002', '00003', '00004'])
})

it('lets something happen first', async () => {
  const hub = await hubWithRepo()
  hub.faults.push({
    kind: 'before',
    on: COMMIT,
    run: () => hub.commitElsewhere(REPO, { 'a.txt': 'a' }, 'race'),
  })
  await expect(upload(hub, FILES, { parentCommit: hub.head(REPO) })).rejects.toMatchObject({
    statusCode: 412,
  })
  expect(hub.commits(REPO).map(({ title }) => title)).toEqual(['race', 'initial commit'])
  const fresh = await hubWithRepo()
  fresh.faults.push({ kind: 'before', on: PART_PUT, run: () => fresh.expire() })
  await expect(upload(fresh, FILES)).rejects.toMatchObject({ statusCode: 403 })
})

it('ends a download early, or says the wrong range', async () => {
  const hub = await hubWithRepo()
  await upload(hub, FILES)
  const get = (headers: Record<string, string> = {}) =>
    fetch(`${hub.url}/${REPO}/resolve/main/onnx/big.onnx`, {
      headers: { ...headers, authorization: `Bearer ${access(hub).accessToken}` },
    })
  hub.faults.push({ kind: 'truncate', afterBytes: 100_000, on: OBJECT_GET })
  const cut = await get()
  expect(cut.headers.get('content-length')).toBe(String(BIG.length))
  const got: Uint8Array[] = []
  await expect(
    (async () => {
      for await (const piece of cut.body ?? []) got.push(piece)
    })(),
  ).rejects.toThrow('terminated')
  expect(BIG.subarray(0, 100_000).equals(Buffer.concat(got))).toBe(true)
  hub.faults.push({ kind: 'wrong-range', on: OBJECT_GET })
  const shifted = await get({ range: 'bytes=10-19' })
  expect(shifted.headers.get('content-range')).toBe(`bytes 11-20/${BIG.length}`)
  expect(Buffer.from(await shifted.arrayBuffer())).toEqual(BIG.subarray(10, 20))
})
