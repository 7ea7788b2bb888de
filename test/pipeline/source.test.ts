// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { fetchSource, resolveSource } from '../../pipeline/checkpoint/checkpoint-source.ts'
import { TINY } from '../helpers/checkpoint.ts'
import { runCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { modelHub } from '../helpers/model-hub.ts'
import { stagePython } from '../helpers/prepared.ts'

describe('resolveSource', () => {
  it('takes names of the model table, directories and hub ids', async () => {
    expect(await resolveSource('1.7B')).toMatchObject({
      name: 'qwen3-asr-1.7b',
      place: { repo: 'Qwen/Qwen3-ASR-1.7B', revision: 'main' },
    })
    expect(await resolveSource(TINY)).toMatchObject({ name: 'qwen3-asr-tiny', place: { folder: TINY } })
    expect(await resolveSource('me/My-Finetune-hf@v1.2')).toMatchObject({
      name: 'my-finetune',
      place: { repo: 'me/My-Finetune-hf', revision: 'v1.2' },
    })
  })

  it('calls what the Trainer has saved on the way by the folder above it', async () => {
    const folder = join(await temporaryFolder(), 'My-Swiss', 'checkpoint-500')
    await mkdir(folder, { recursive: true })
    expect(await resolveSource(`${folder}/`)).toMatchObject({
      ...{ name: 'my-swiss-checkpoint-500', base: 'My-Swiss-checkpoint-500' },
      ...{ flag: 'path/to/My-Swiss/checkpoint-500', place: { folder } },
    })
  })
})

/** In this process, as the pipeline does. */
async function fetchHere(model: string) {
  return fetchSource(await resolveSource(model), {
    python: async () => ({ path: await stagePython(), fingerprint: '' }),
    ...{ output: await temporaryFolder(), emit: () => undefined, signal: new AbortController().signal },
  })
}

describe('a checkpoint on the hub', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('is fetched by its id into the cache, and refused with a sentence when it is not there', async () => {
    const files: Record<string, Uint8Array> = {}
    for (const name of await readdir(TINY)) files[name] = await readFile(join(TINY, name))
    const hub = await modelHub({ user: 'me' })
    hub.createRepo('me/tiny', { files })
    const commit = hub.head('me/tiny')
    const fetched = () =>
      hub.requests.filter(({ method, path }) => method === 'GET' && path.startsWith('/me/')).length
    const home = await temporaryFolder()
    const env = { HF_ENDPOINT: hub.url, HF_HOME: home, HF_TOKEN: undefined }
    // --only package ends, after the download, at the stages that have not run.
    const run = (model: string) =>
      runCli(['--model', model, '--output', join(home, 'out'), '--only', 'package'], env)

    const ended = await run('me/tiny')
    expect(ended.stdout).toContain(`me/tiny is at commit ${commit}`)
    expect(ended.stdout).toContain('error: The stage export has no current result')
    const snapshot = join(home, 'hub', 'models--me--tiny', 'snapshots', commit)
    expect((await readCheckpoint(snapshot)).format).toBe('native')
    const names = await readdir(snapshot)
    expect(names).toContain('README.md') // its license and languages are those of the release
    expect(names).not.toContain('chat_template.jinja')

    const requests = fetched()
    expect(requests).toBeGreaterThan(0)
    await run('me/tiny')
    expect(fetched()).toBe(requests)

    for (const [name, value] of Object.entries({ ...env, HF_HUB_OFFLINE: 'yes' })) vi.stubEnv(name, value)
    const all = hub.requests.length
    expect(await fetchHere('me/tiny')).toEqual({ folder: snapshot, commit })
    await expect(fetchHere('me/other')).rejects.toMatchObject({
      message: `HF_HUB_OFFLINE is set, and me/other at main is not in the cache (${join(home, 'hub')}).`,
      hint: 'Unset it to download the checkpoint, or give a folder to --model.',
    })
    expect(hub.requests.length).toBe(all)
    vi.unstubAllEnvs()

    expect((await run('me/tiny@nope')).stdout).toContain('error: me/tiny has no revision nope.')
    expect((await run('me/other')).stdout).toContain(
      'error: The hub has no model me/other, or it is private.',
    )
  })

  it('says whose terms must be accepted, and where', async () => {
    const hub = await modelHub({ user: 'me' })
    hub.createRepo('me/tiny')
    const gated = { status: 403, headers: { 'x-error-code': 'GatedRepo' } }
    hub.faults.push({ kind: 'status', ...gated, on: /api\/models\/me\/tiny/, times: 9 })
    const env = { HF_ENDPOINT: hub.url, HF_HOME: await temporaryFolder(), HF_TOKEN: 'hf_some' }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    await expect(fetchHere('me/tiny')).rejects.toMatchObject({
      message: 'me/tiny is gated: its terms must be accepted before it can be read.',
      hint: `Accept them at ${hub.url}/me/tiny, then set HF_TOKEN to a token of the same account, or run: hf auth login.`,
    })
  })

  it('says that the network failed', async () => {
    const env = { HF_ENDPOINT: 'http://127.0.0.1:9', HF_HOME: await temporaryFolder() }
    const ended = await runCli(['--model', 'me/tiny', '--output', await temporaryFolder()], env)
    expect(ended.stdout).toMatch(
      /error: Downloading me\/tiny failed: .*\nhint: Check the network and run again/,
    )
    expect(ended.exitCode).toBe(1)
  })
})
