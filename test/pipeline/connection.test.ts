// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { connectHub } from '../../pipeline/hub/connection.ts'
import { type Published, publish } from '../../pipeline/publish/publish-release.ts'
import { fetchRelease } from '../../pipeline/release/fetch.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { runCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { modelHub } from '../helpers/model-hub.ts'
import { startProxy } from '../helpers/proxy.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'
import type { ModelHub } from '../hub/model-hub.ts'

const REPO = 'tester/tiny-onnx'
const SELF_HOSTED = 'http://hub.test'

afterEach(() => vi.unstubAllEnvs())

const failure = (promise: Promise<unknown>) => promise.then(() => undefined, describeError)

/** Publish the tiny release in this process. */
async function publishTiny(hub: ModelHub, useXet = false): Promise<Published> {
  return publish({
    ...{
      hub: { url: hub.url, token: hub.token },
      folder: await copyTinyRelease(),
      repo: REPO,
      branch: 'main',
    },
    ...{ isPrivate: false, createPr: false, mirror: false, archives: true, useXet, allowUngated: false },
    ...{ dryRun: false, confirm: async () => true, network: { firstWaitMs: 5, stallMs: 2000 } },
    ...{ emit: () => undefined, signal: new AbortController().signal },
  })
}

describe('the token of the hub', () => {
  it('is HF_TOKEN, else where hf auth login puts it', async () => {
    const root = await temporaryFolder()
    const places = {
      HF_TOKEN_PATH: join(root, 'my-token'),
      HF_HOME: join(root, 'hf', 'token'),
      XDG_CACHE_HOME: join(root, 'cache', 'huggingface', 'token'),
      HOME: join(root, 'home', '.cache', 'huggingface', 'token'),
    }
    for (const [name, path] of Object.entries(places)) {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, `hf_of_${name}\n`)
    }
    vi.stubEnv('HOME', join(root, 'home')) // what os.homedir() tells
    const env: NodeJS.ProcessEnv = {
      ...{ HF_TOKEN: ' hf_of_HF_TOKEN\n', HUGGING_FACE_HUB_TOKEN: 'hf_of_HUGGING_FACE_HUB_TOKEN' },
      ...{
        HF_TOKEN_PATH: places.HF_TOKEN_PATH,
        HF_HOME: join(root, 'hf'),
        XDG_CACHE_HOME: join(root, 'cache'),
      },
    }
    for (const name of [...Object.keys(env), 'HOME']) {
      expect((await connectHub(env)).token).toBe(`hf_of_${name}`)
      delete env[name]
    }
    await rm(places.HOME)
    expect(await connectHub(env)).toEqual({ url: 'https://huggingface.co' })
    expect((await failure(connectHub({ HF_TOKEN_PATH: root })))?.message).toBe(
      `The hub's token cannot be read from ${root} (EISDIR).`,
    )
  })

  it('begins with hf_ at Hugging Face alone, and is never shown', async () => {
    const token = 'abcdef-123456'
    expect(await connectHub({ HF_TOKEN: token, HF_ENDPOINT: SELF_HOSTED })).toEqual({
      url: SELF_HOSTED,
      token,
    })
    for (const HF_ENDPOINT of [undefined, 'https://huggingface.co/', 'https://hub-ci.huggingface.co'])
      expect((await failure(connectHub({ HF_TOKEN: token, HF_ENDPOINT })))?.message).toBe(
        'The token of the hub does not begin with hf_.',
      )
    const found = await failure(connectHub({ HF_TOKEN: 'hf_a b\u001b', HF_ENDPOINT: SELF_HOSTED }))
    expect(found?.message).toBe('The token of the hub holds spaces or letters that no token has.')
  })
})

describe('HF_ENDPOINT', () => {
  it.each([
    ['https://me:s3cret@hub.test', 'HF_ENDPOINT holds a user name or password, which are not sent to a hub.'],
    ['http://s3cret@hub.test/', 'HF_ENDPOINT holds a user name or password, which are not sent to a hub.'],
    ['me:s3cr/et@hub.test', 'HF_ENDPOINT holds a user name or password, which are not sent to a hub.'],
    ['https://hub.test/?token=s3cret', 'HF_ENDPOINT has more behind its path, wanted an address alone.'],
    ['https://hub.test/#s3cret', 'HF_ENDPOINT has more behind its path, wanted an address alone.'],
    ['hub.test', 'HF_ENDPOINT is "hub.test", wanted an http address.'],
    ['ftp://hub.test', 'HF_ENDPOINT is "ftp://hub.test", wanted an http address.'],
  ])('%s is refused without what is secret in it', async (HF_ENDPOINT, message) => {
    expect(await failure(connectHub({ HF_ENDPOINT }))).toMatchObject({ message, exitCode: 2 })
  })

  it('with a password is printed by no command', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://me:s3cret@127.0.0.1:9')
    const [out, debug] = [await temporaryFolder(), ['--debug']]
    const commands = [
      runCli(['--model', 'me/tiny', '--output', out, '--json', ...debug]),
      runCli(
        ['--models', 'a:test/fixtures/qwen3-asr-tiny', '--datasets', 'librispeech-other', ...debug],
        {},
        'evaluate',
      ),
    ]
    for (const ended of await Promise.all(commands)) {
      const said = ended.stdout + ended.stderr
      expect(said).toContain('HF_ENDPOINT holds a user name or password, which are not sent to a hub.')
      expect(said).not.toMatch(/s3cret|me:/)
      expect(ended.exitCode).toBe(2)
    }
    const sources = ['eval', 'graph-tools', 'pipeline', 'scripts'].map(async (folder) => {
      const names = (await readdir(join(PROJECT, folder), { recursive: true })).filter((name) =>
        name.endsWith('.ts'),
      )
      const texts = names.map(
        async (name) => [`${folder}/${name}`, await readFile(join(PROJECT, folder, name), 'utf8')] as const,
      )
      return (await Promise.all(texts)).flatMap(([name, text]) =>
        /env\['HF_ENDPOINT'\]/.test(text) ? [name] : [],
      )
    })
    expect((await Promise.all(sources)).flat()).toEqual(['pipeline/hub/connection.ts']) // where all others have it from
  })
})

describe('publishing and fetching', () => {
  it.each([false, true])(
    'go through a proxy, files and all, with the token of a self-hosted hub (xet: %s)',
    async (xet) => {
      const [hub, proxy] = [await modelHub({ token: 'selfhosted-token', xet }), await startProxy()]
      vi.stubEnv('HTTP_PROXY', proxy.url)
      vi.stubEnv('NO_PROXY', '')
      hub.faults.push({ kind: 'reset', afterBytes: 1000, on: /^PUT storage/ })
      hub.createRepo(REPO)
      const published = await publishTiny(hub, xet)
      expect(published.outcome).toBe('published')
      const folder = await temporaryFolder()
      const { check } = await fetchRelease({
        ...{ hub: { url: hub.url, token: hub.token }, name: REPO, folder },
        ...{ emit: () => undefined, signal: new AbortController().signal },
      })
      expect(check.problems).toEqual([])
      expect(hub.requests.length).toBeGreaterThan(20)
      expect(proxy.requests.length).toBe(hub.requests.length)
      expect(new Set(proxy.requests.map((line) => new URL(line.split(' ')[1] ?? '').origin)).size).toBe(
        xet ? 3 : 2,
      )
    },
  )

  it('ask for nothing with HF_HUB_OFFLINE', async () => {
    const hub = await modelHub()
    hub.createRepo(REPO)
    for (const [name, value] of Object.entries({
      HF_HUB_OFFLINE: '1',
      HF_ENDPOINT: hub.url,
      HF_TOKEN: hub.token,
    }))
      vi.stubEnv(name, value)
    const wanted = {
      message: expect.stringMatching(
        /^HF_HUB_OFFLINE is set, so http:\/\/127.0.0.1:\d+\/api\/.* is not asked for\.$/,
      ),
      hint: 'Unset it to use the network; what an earlier run has kept in the cache is used without.',
    }
    expect(await failure(publishTiny(hub))).toMatchObject(wanted)
    const signal = new AbortController().signal
    const fetching = fetchRelease({
      hub: await connectHub(),
      name: REPO,
      folder: await temporaryFolder(),
      emit: () => undefined,
      signal,
    })
    expect(await failure(fetching)).toMatchObject(wanted)
    expect(hub.requests).toEqual([])
  })

  it('say whose terms must be accepted, and where', async () => {
    const hub = await modelHub()
    hub.createRepo(REPO)
    hub.faults.push({
      kind: 'status',
      status: 403,
      headers: { 'x-error-code': 'GatedRepo' },
      on: /^GET hub \/api\/models\//,
    })
    const signal = new AbortController().signal
    const fetching = fetchRelease({
      hub: { url: hub.url },
      name: REPO,
      folder: await temporaryFolder(),
      emit: () => undefined,
      signal,
    })
    expect(await failure(fetching)).toMatchObject({
      message: `${REPO} is gated: its terms must be accepted before it can be read (403).`,
      hint: `Accept them at ${hub.url}/${REPO}, then set HF_TOKEN to a token of the same account, or run: hf auth login.`,
    })
  })
})
