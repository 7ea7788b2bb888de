// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { servePage } from '../../pipeline/page/serve-page.ts'
import { runCli, startCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const page = (args: readonly string[], env = {}) => runCli(args, env, 'page')

it('builds one folder, replaces a page, and refuses any other folder', async () => {
  const folder = join(await temporaryFolder(), 'page')
  const first = await page([folder, '--hub', 'https://hub.example/', '--release', 'me/"tiny'], {})
  expect(first).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('is not an address of a release'),
  })
  const { exitCode, stdout } = await page([folder, '--hub', 'https://hub.example/', '--release', 'me/tiny'])
  expect(stdout).toMatch(
    /page: 13 files, 4\d\.\d MB\. Any host .*\ntry it: npm run page -- .*page --serve\n?$/,
  )
  expect(exitCode).toBe(0)
  const html = await readFile(join(folder, 'index.html'), 'utf8')
  expect(html).toContain('<meta name="hub" content="https://hub.example">')
  expect(html).toContain('<meta name="release" content="me/tiny">')
  const names = await readdir(folder)
  expect(names).toContain('licenses.txt')
  await writeFile(join(folder, 'stray.txt'), '')
  const before = await readFile(join(folder, 'page.json'), 'utf8')
  expect((await page([folder, '--hub', 'https://hub.example/', '--release', 'me/tiny'])).exitCode).toBe(0)
  expect((await readdir(folder)).sort()).toEqual(names.sort())
  expect(await readFile(join(folder, 'page.json'), 'utf8')).toBe(before) // the same bytes each time
  const parent = join(folder, '..')
  expect(await readdir(parent)).toEqual(['page'])
  expect(await page([parent])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/holds page and no page, which would be lost/),
  })
  expect(await page([join(folder, 'page.js')])).toMatchObject({ exitCode: 2 })
  expect(await page([folder, '--hub', 'http://hub.example'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('begins with http:, wanted https: or http: of this machine'),
  })
})

it('serves a folder to this machine, in ranges, with the headers of isolation, and nothing outside of it', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'index.html'), '<p>here')
  await writeFile(join(folder, '..data'), 'x')
  const { url, close } = await servePage(folder, 0)
  const whole = await fetch(url)
  expect(await whole.text()).toBe('<p>here')
  expect(whole.headers.get('cross-origin-embedder-policy')).toBe('require-corp')
  expect(whole.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const part = await fetch(`${url}index.html`, { headers: { range: 'bytes=3-4' } })
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
    206,
    'bytes 3-4/7',
    'he',
  ])
  const past = await fetch(url, { headers: { range: 'bytes=9-' } })
  expect(past.status).toBe(416)
  for (const path of [
    '/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc/passwd',
    '/none',
    '/%ff',
  ])
    expect([path, await statusOf(url, path)]).toEqual([path, 404])
  await expect(servePage(folder, Number(new URL(url).port))).rejects.toThrow(/^Port \d+ is in use\.$/)
  await close()
})

it('serves until it is interrupted', async () => {
  const folder = join(await temporaryFolder(), 'page')
  const command = startCli([folder, '--serve', '0'], {}, 'page')
  for await (const line of command) {
    const [url] = /http:\S+/.exec(line) ?? []
    if (url === undefined) continue
    expect((await fetch(url)).status).toBe(200)
    command.kill('SIGINT')
  }
  expect((await command).exitCode).toBe(0)
})

/** fetch() would tidy the path up first. */
function statusOf(url: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    request({ hostname, port, path }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}
