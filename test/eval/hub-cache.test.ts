// SPDX-License-Identifier: Apache-2.0

import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type OpenOptions, openDataset } from '../../eval/dataset/open.ts'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { COMMIT, type DatasetHub, startDatasetHub } from '../helpers/dataset-hub.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { startProxy } from '../helpers/proxy.ts'
import { bundledRows, speechParquet } from '../helpers/speech-parquet.ts'

const NAME = 'hub:me/speech/all/test'
const HINT = 'Unset it to use the network; what an earlier run has kept in the cache is used without.'

afterEach(() => vi.unstubAllEnvs())

async function startHub(token?: string): Promise<DatasetHub> {
  const rows = await bundledRows(6)
  const files = new Map([
    ['all/test/0000.parquet', await speechParquet(rows.slice(0, 4), 2)],
    ['all/test/0001.parquet', await speechParquet(rows.slice(4), 2)],
  ])
  return startDatasetHub({ repo: 'me/speech', files, ...(token && { token }) })
}

async function collect(dataset: Dataset) {
  const found = []
  for await (const { id, text, path } of dataset.utterances(() => true, new AbortController().signal))
    found.push({ id, text, path })
  return found
}

describe('a dataset on the hub', () => {
  it('is read from the cache with HF_HUB_OFFLINE, whole or not at all', async () => {
    const [hub, cache] = [await startHub(), await temporaryFolder()]
    const options = (count: number, endpoint = hub.url): OpenOptions => ({
      ...{ endpoint, cache, firstWaitMs: 5 },
      selection: { sample: 'first', count, seed: 1 },
    })
    const folder = join(cache, 'me--speech')
    const refused = (what: string) => ({
      message: `HF_HUB_OFFLINE is set, so the hub is not asked for ${what}.`,
      hint: HINT,
    })

    vi.stubEnv('HF_HUB_OFFLINE', '1')
    await expect(openDataset(NAME, options(4))).rejects.toMatchObject(
      refused(`me/speech, of which test is not in the cache ${folder}`),
    )
    vi.stubEnv('HF_HUB_OFFLINE', undefined)
    const online = await openDataset(NAME, options(4))
    const wanted = await collect(online)
    const asked = [hub.requests.length, hub.stored.length]

    vi.stubEnv('HF_HUB_OFFLINE', '1')
    const offline = await openDataset(NAME, options(4))
    expect(offline).toMatchObject({ count: 4, of: 6, download: 0, source: online.source, keys: online.keys })
    expect(await collect(offline)).toEqual(wanted)
    const audio = refused(`the audio of me/speech that is not in the cache ${join(folder, COMMIT)}`)
    await expect(openDataset(NAME, options(5))).rejects.toMatchObject(audio)
    await expect(openDataset(NAME, options(4, 'http://other.test'))).rejects.toMatchObject(
      refused(`me/speech, of which test is not in the cache ${folder}`),
    )
    await rm(join(folder, COMMIT, 'footers', 'all--test--0000.parquet'), { recursive: true })
    await expect(openDataset(NAME, options(4))).rejects.toMatchObject({
      message: `HF_HUB_OFFLINE is set, so ${hub.url}/datasets/me/speech/resolve/${COMMIT}/all/test/0000.parquet is not asked for.`,
    })
    expect([hub.requests.length, hub.stored.length]).toEqual(asked)
  })

  it('is found and fetched again where the cache is damaged', async () => {
    const [hub, cache] = [await startHub(), await temporaryFolder()]
    const options = { endpoint: hub.url, cache, selection: { sample: 'all', count: 1, seed: 1 } } as const
    const wanted = await collect(await openDataset(NAME, options))
    const folder = join(cache, 'me--speech')
    const groups = await readdir(join(folder, COMMIT, 'audio+text'))
    const index = join(folder, COMMIT, 'audio+text', groups[0] ?? '', 'utterances.json')
    for (const damage of [
      '[{"id": "a", "te',
      '{"length": 2}',
      '[{"id": 1, "text": "a"}, {"id": 2}]',
      'null',
    ]) {
      await writeFile(index, damage)
      const sent = hub.bytesSent()
      const dataset = await openDataset(NAME, options)
      expect(dataset.download).toBeGreaterThan(0)
      expect(await collect(dataset)).toEqual(wanted)
      expect(hub.bytesSent()).toBeGreaterThan(sent)
    }
    const [split = ''] = (await readdir(folder)).filter((name) => name.startsWith('split-'))
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect((await openDataset(NAME, options)).count).toBe(6)
    for (const damage of ['{"repo": "me/spe', '[]', '{"repo": "me/speech", "revision": "x", "files": {}}']) {
      await writeFile(join(folder, split), damage)
      await expect(openDataset(NAME, options)).rejects.toThrow('of which test is not in the cache')
    }
  })

  it('is read through a proxy, with the token of a self-hosted hub', async () => {
    const [hub, proxy] = [await startHub('selfhosted'), await startProxy()]
    vi.stubEnv('HTTP_PROXY', proxy.url)
    vi.stubEnv('NO_PROXY', '')
    const selection = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 } as const
    const options = { endpoint: hub.url, token: 'selfhosted', cache: await temporaryFolder(), selection }
    expect((await collect(await openDataset(NAME, options))).length).toBe(6)
    expect(proxy.requests.length).toBe(hub.requests.length + hub.stored.length)
    expect(hub.authorizations.hub).toEqual(new Set(['Bearer selfhosted']))
    expect(hub.authorizations.storage).toEqual(new Set(['']))
  })
})
