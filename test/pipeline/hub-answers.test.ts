// SPDX-License-Identifier: Apache-2.0

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { uploadFetch } from '../../pipeline/hub/upload-fetch.ts'
import { cardProblems, refsOf } from '../../pipeline/publish/remote-setup.ts'

const HINT = 'Something else may answer in place of the hub: check HF_ENDPOINT and the proxies.'
const ONCE = { tries: 1, firstWaitMs: 1 }

/** What answers every request with the same body. */
async function answering(body: string): Promise<{ readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

describe('an answer of the hub', () => {
  it('gives refs, which may lack kinds', async () => {
    const hub = await answering(
      '{"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": "c"}], "converts": 1}',
    )
    expect(await refsOf(hub, 'me/tiny', ONCE)).toEqual({ branches: ['main'], tags: [], pullRequests: [] })
  })

  it.each([
    ['<html>Sign in</html>', ' is not valid JSON.'],
    ['[]', ' holds [], wanted an object.'],
    ['{"branches": "main"}', ': branches is "main", wanted an array.'],
    ['{"tags": [{"name": "v1", "ref": "r"}]}', ': tags.0.targetCommit is missing, wanted a string.'],
  ])('for refs is refused when it is %s', async (body, message) => {
    const hub = await answering(body)
    await expect(refsOf(hub, 'me/tiny', ONCE)).rejects.toMatchObject({
      message: `The answer of ${hub.url}/api/models/me/tiny/refs${message}`,
      hint: HINT,
    })
  })

  it.each(['<html>', '[]', '{"errors": "no"}', '{"warnings": [1]}'])(
    'about a card counts for none when it is %s',
    async (body) => {
      expect(await cardProblems(await answering(body), 'card', ONCE)).toBeUndefined()
    },
  )

  it('about a card is a list of texts', async () => {
    const hub = await answering('{"errors": [{"message": "No license"}, {"line": 3}]}')
    expect(await cardProblems(hub, 'card', ONCE)).toEqual({
      errors: ['No license', '{"line":3}'],
      warnings: [],
    })
  })

  it.each([
    ['<html>', ' is not valid JSON.'],
    ['{}', ': objects is missing, wanted an array.'],
    ['{"objects": [{"oid": "a", "size": "7"}]}', ': objects.0.size is "7", wanted a whole number from 0 to '],
    [
      '{"objects": [{"size": 7, "actions": {"upload": 1}}]}',
      ': objects.0.actions.upload is 1, wanted an object.',
    ],
  ])('about what the storage lacks is refused when it is %s', async (body, message) => {
    const { url } = await answering(body)
    const missing: number[] = []
    const send = uploadFetch({
      ...{ ...ONCE, origin: url, planned: new Set(['a']), signal: new AbortController().signal },
      ...{ onMissing: (bytes) => missing.push(bytes), onBytes: () => {}, onStored: () => {} },
    })
    const address = `${url}/me/tiny.git/info/lfs/objects/batch`
    const sent = send(address, { method: 'POST', body: '{"objects": [{"oid": "a", "size": 7}]}' })
    await expect(sent).rejects.toMatchObject({
      message: expect.stringContaining(`The answer of ${address}${message}`),
      hint: HINT,
    })
    expect(missing).toEqual([])
  })
})
