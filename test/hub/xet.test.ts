// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadFile } from '@huggingface/hub'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import type { ModelHub, ModelHubOptions } from './model-hub.ts'
import { askPython } from './python-client.ts'
import { access, askBatch, download, hubWithRepo, noise, REPO, sha256, upload } from './sample.ts'

/** Chunks of every kind: noise, words of four that group well, and runs; some of them twice. */
function mixture(): Buffer {
  const floats = Buffer.from(Float32Array.from({ length: 150_000 }, (_, i) => Math.sin(i / 1000)).buffer)
  const start = noise(700_000)
  return Buffer.concat([start, floats, Buffer.alloc(300_000, 'run '), start, noise(200_001, 3)])
}

const MIXTURE = mixture()
const OTHER = noise(90_000, 5)
const FILES = { 'mix.onnx': MIXTURE, 'other.bin': OTHER }
/** for Python's hf_xet */
const XET = { HF_HUB_DISABLE_XET: '0' }

const asked = (hub: ModelHub, part: string) =>
  hub.requests.filter(({ host, path }) => host === 'cas' && path.includes(part))

it('JS uploads by xet; Python with hf_xet, and any client without, download', async () => {
  const hub = await hubWithRepo({ xet: true })
  await upload(hub, FILES, { useXet: true })
  expect(asked(hub, '/v1/xorbs/').map(({ status }) => status)).toEqual([200, 200])
  expect(hub.storedBytes()).toBe(0)
  expect(sha256(await hub.read(REPO, 'mix.onnx'))).toBe(sha256(MIXTURE))
  const args = { repo: REPO, path: 'mix.onnx', revision: 'main' }
  expect(await askPython(hub, 'download', args, XET)).toBe(sha256(MIXTURE))
  expect(asked(hub, '/reconstructions/').length).toBeGreaterThan(0)
  const before = hub.requests.length
  expect(await askPython(hub, 'download', args)).toBe(sha256(MIXTURE))
  expect(hub.requests.slice(before).some(({ host }) => host === 'cas')).toBe(false)
  expect((await askBatch(hub, sha256(MIXTURE), MIXTURE.length, ['basic', 'xet'])).actions).toBeUndefined()
})

it('Python uploads with hf_xet; JS downloads by xet, all of it and parts', async () => {
  const hub = await hubWithRepo({ xet: true })
  const folder = await temporaryFolder()
  for (const [path, bytes] of Object.entries(FILES)) await writeFile(join(folder, path), bytes)
  await askPython(hub, 'upload', { repo: REPO, folder }, XET)
  expect(asked(hub, '/shards').length).toBeGreaterThan(0)
  expect(hub.tree(REPO).get('mix.onnx')?.lfs).toEqual({ oid: sha256(MIXTURE), size: MIXTURE.length })
  expect(await download(hub, 'other.bin')).toBe(sha256(OTHER))
  const blob = await downloadFile({ ...access(hub), path: 'mix.onnx' })
  expect(sha256(new Uint8Array((await blob?.arrayBuffer()) ?? []))).toBe(sha256(MIXTURE))
  for (const [start, end] of [
    [0, 1],
    [650_000, 1_700_000],
    [MIXTURE.length - 5, MIXTURE.length],
  ] as const) {
    const part = new Uint8Array((await blob?.slice(start, end).arrayBuffer()) ?? [])
    expect(sha256(part), `${start}-${end}`).toBe(sha256(MIXTURE.subarray(start, end)))
  }
})

it('is not there unless it is wanted on both sides', async () => {
  const without = await hubWithRepo()
  await upload(without, FILES, { useXet: true })
  const unwanted = await hubWithRepo({ xet: true })
  await upload(unwanted, FILES)
  for (const hub of [without, unwanted]) {
    expect(asked(hub, '')).toEqual([])
    expect(await download(hub, 'mix.onnx')).toBe(sha256(MIXTURE))
  }
})

/** An upload whose requests to the CAS are changed on the way. */
async function uploadChanged(
  change: (path: string, body: Buffer) => Buffer,
  options: ModelHubOptions = {},
): Promise<{ hub: ModelHub; sent: number; error: unknown }> {
  const hub = await hubWithRepo({ xet: true, ...options })
  const count = { sent: 0 }
  const changing: typeof fetch = (input, init) => {
    if (!(init?.body instanceof Uint8Array)) return fetch(input, init)
    count.sent++
    return fetch(input, { ...init, body: change(String(input), Buffer.from(init.body)) })
  }
  const error = await upload(hub, { 'other.bin': OTHER }, { useXet: true, fetch: changing }).catch(
    (reason: unknown) => reason,
  )
  return { hub, ...count, error }
}

function flipped(body: Buffer, at: number): Buffer {
  body[at] = (body[at] ?? 0) ^ 1
  return body
}

it('takes no xorb and no shard that is not what it says', async () => {
  const same = await uploadChanged((_, body) => body)
  expect(same).toMatchObject({ sent: 2, error: { commit: { oid: same.hub.head(REPO) } } })
  // places in a shard with one file of one term, behind the header: its hash, xorb, length, chunks, proof, sha256
  const file = 48
  const places = [file, file + 48, file + 48 + 36, file + 48 + 44, file + 96, file + 144]
  const changes = [
    (path: string, body: Buffer) => (path.includes('/xorbs/') ? flipped(body, body.length >> 1) : body),
    (path: string, body: Buffer) => (path.includes('/xorbs/') ? body.subarray(0, -1) : body),
    (path: string, body: Buffer) => (path.includes('/shards') ? body.subarray(0, 200) : body),
    ...places.map(
      (place) => (path: string, body: Buffer) => (path.includes('/shards') ? flipped(body, place) : body),
    ),
  ]
  for (const change of changes) {
    const { hub, error } = await uploadChanged(change)
    expect(error).toMatchObject({ statusCode: 400 })
    expect(hub.commits(REPO).length).toBe(1)
    expect((await askBatch(hub, sha256(OTHER), OTHER.length)).actions).toBeDefined()
  }
})

it('requires its own tokens, and gives xorbs by the signed range only', async () => {
  const hub = await hubWithRepo({ xet: true })
  await upload(hub, FILES, { useXet: true })
  const [xorb] = asked(hub, '/v1/xorbs/')
  expect(xorb?.authorization).toMatch(/^Bearer write\./)
  const headers = { authorization: `Bearer ${hub.token}` }
  const token = await fetch(`${hub.url}/api/models/${REPO}/xet-read-token/main`, { headers })
  const { accessToken, casUrl } = (await token.json()) as { accessToken: string; casUrl: string }
  expect(token.headers.get('x-xet-access-token')).toBe(accessToken)
  const cas = (path: string, init: RequestInit = {}, bearer = accessToken) =>
    fetch(`${casUrl}${path}`, { ...init, headers: { ...init.headers, authorization: `Bearer ${bearer}` } })
  expect((await cas(xorb?.path ?? '', { method: 'POST', body: 'x' })).status).toBe(401)
  const resolved = await fetch(`${hub.url}/${REPO}/resolve/main/mix.onnx`, {
    method: 'HEAD',
    redirect: 'manual',
  })
  const path = `/v2/reconstructions/${resolved.headers.get('x-xet-hash')}`
  expect((await cas(path, {}, hub.token)).status).toBe(401)
  expect((await cas(path, { headers: { range: `bytes=${MIXTURE.length}-` } })).status).toBe(416)
  expect((await cas(`/v2/reconstructions/${'0'.repeat(64)}`)).status).toBe(404)
  const found = (await (await cas(path)).json()) as {
    xorbs: Record<string, [{ url: string; ranges: [{ bytes: { start: number; end: number } }] }]>
  }
  const [{ url, ranges }] = Object.values(found.xorbs)[0] ?? [{ url: '', ranges: [] }]
  const { start, end } = ranges[0]?.bytes ?? { start: 0, end: 0 }
  const get = (range: string) => fetch(url, { headers: { range } })
  expect((await get(`bytes=${start}-${end - 1}`)).status).toBe(403)
  expect((await get(`bytes=${start}-${end}`)).status).toBe(206)
  hub.expire()
  expect((await get(`bytes=${start}-${end}`)).status).toBe(403)
})

it('takes faults as the other hosts do', async () => {
  const hub = await hubWithRepo({ xet: true, xetTokenLifetimeMs: 30_000 })
  for (const on of [/^POST cas \/v1\/xorbs\//, /^POST cas \/v1\/shards$/]) {
    hub.faults.push({ kind: 'status', status: 500, readBody: true, on })
    const failing = upload(hub, { 'other.bin': OTHER }, { useXet: true })
    await expect(failing).rejects.toMatchObject({ statusCode: 500 })
  }
  // a token that is about to end is not used, but refreshed
  expect(hub.requests.filter(({ path }) => path.includes('xet-write-token')).length).toBeGreaterThan(0)
  hub.faults.push({ kind: 'store-corrupt', on: /shards/, times: 2 })
  await upload(hub, FILES, { useXet: true })
  expect(sha256(await hub.read(REPO, 'other.bin'))).not.toBe(sha256(OTHER))
  expect(hub.tree(REPO).get('other.bin')?.lfs?.oid).toBe(sha256(OTHER))
})
