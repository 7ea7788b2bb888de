// SPDX-License-Identifier: Apache-2.0

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { buildPage } from '../../pipeline/page/build-page.ts'
import { SOFTWARE_WEBGPU, startBrowser } from '../helpers/browser.ts'
import { copyFiles, hear, NEEDED, READY, shown, textOf, until } from '../helpers/page-driver.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { type ReleaseHost, startReleaseHost } from '../helpers/release-host.ts'
import { startStaticHost } from '../helpers/static-host.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

/* The built page in a real browser, with a static host and a stand-in of the hub. Tests go on where those before ended. */

const CLIP = join(BUNDLED_SPEECH, 'held-out-000.flac')
const SAID = 'One seven zero two nine two.'
const ENCODER = 'encoder.int4.onnx'
/** The bytes of a recording of a clip in a format that the browser itself reads and writes. */
const RECORD_WEBM = `async (bytes) => {
  const context = new AudioContext()
  const source = context.createBufferSource()
  source.buffer = await context.decodeAudioData(Uint8Array.from(bytes).buffer)
  const target = context.createMediaStreamDestination()
  source.connect(target)
  const recorder = new MediaRecorder(target.stream, { mimeType: 'audio/webm' })
  const parts = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  recorder.start()
  source.start(0, 0, 1.3)
  await new Promise((resolve) => { source.onended = resolve })
  recorder.stop()
  await new Promise((resolve) => { recorder.onstop = resolve })
  return [...new Uint8Array(await new Blob(parts).arrayBuffer())]
}`
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const PROBE = new URL('../helpers/page-probe.js', import.meta.url)

let root = ''
let model = ''
let browser: Browser
let hub: ReleaseHost
let host: Awaited<ReturnType<typeof startStaticHost>>
let probes = ''
let context: BrowserContext
const problems: string[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-page-'))
  model = join(await sharedReleases(), TINY_NAME)
  hub = await startReleaseHost(model)
  const place = join(root, 'page')
  const started = startBrowser([
    ...SOFTWARE_WEBGPU,
    ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  ])
  await buildPage(place, { hub: hub.url })
  host = await startStaticHost(place)
  probes = `${await readFile(AXE, 'utf8')};${await readFile(PROBE, 'utf8')}`
  browser = await started
})

afterEach(async () => {
  hub.faults.splice(0)
  hub.requests.splice(0)
  hub.instead.clear()
  hub.isRanged = true
  expect(problems.splice(0)).toEqual([])
})

afterAll(async () => {
  await browser?.close()
  await Promise.all([hub?.close(), host?.close()])
  await rm(root, { recursive: true, force: true })
})

/** A folder with some of the release's files. */
function copyOf(name: string, files: readonly string[]): Promise<string> {
  return copyFiles(model, join(root, name), files)
}

/** The page in a browser that has never seen it: it loads again by itself, with threads. */
async function freshPage(options: BrowserContextOptions = {}): Promise<Page> {
  await context?.close()
  context = await browser.newContext({ viewport: { width: 900, height: 900 }, ...options })
  return openPage()
}

async function openPage(search = ''): Promise<Page> {
  for (const page of context.pages()) await page.close()
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(`${host.url}${search}`)
  await until(page, READY)
  return page
}

async function find(page: Page, address = 'me/tiny', state = 'found'): Promise<string> {
  await page.fill('#address', address)
  await page.click('#find')
  await shown(page, state)
  return textOf(page, state)
}

/** Files that were asked for since the last look, with where the first byte was. */
function requested(): string[] {
  return hub.requests.splice(0).map(({ file, range }) => `${file} ${/\d+/.exec(range)?.[0] ?? 'all'}`)
}

describe('the page in a browser that has not seen it', () => {
  let page: Page
  beforeAll(async () => {
    page = await freshPage()
  })

  it('gets threads on a host that sends no headers', async () => {
    expect(await textOf(page, 'machine')).toMatch(
      /^Processor \(WebAssembly\): \d+ threads\. Graphics \(WebGPU\): .*swiftshader/,
    )
  })

  it.each([
    ['me/none', /me\/none has no manifest\.json/],
    ['http://example.com/x', /begins with http:, wanted https:/],
    ['what?', /"what\?" is not an address of a release/],
    ['https://user:secret@localhost/x', /user name or password/],
  ])('says why %s cannot be loaded', async (address, problem) => {
    hub.instead.set('manifest.json', undefined)
    expect(await find(page, address, 'model-problem')).toMatch(problem)
    expect(await page.locator('#choice').isVisible()).toBe(true)
  })

  it.each([
    ['{"format": 1', /manifest\.json is not valid JSON/],
    ['{"format": 2}', /format is 2, wanted 1/],
    [
      '{"format":1,"name":"x","files":[{"path":"../x","size":1,"sha256":"","role":"","variants":[]}]}',
      /path is "\.\.\/x", wanted a file name/,
    ],
    ['{"format":1,"family":"aligner","name":"x","files":[]}', /family is "aligner", wanted "asr"/],
  ])('refuses the manifest %s', async (manifest, problem) => {
    hub.instead.set('manifest.json', manifest)
    expect(await find(page, 'me/tiny', 'model-problem')).toMatch(problem)
  })

  it('says that a private release cannot be reached', async () => {
    hub.faults.push({ file: 'manifest.json', times: 1, status: 401 })
    expect(await find(page, 'me/tiny', 'model-problem')).toMatch(/answered 401.*\n[\s\S]*private, gated/)
  })

  it('checks for room before it downloads', async () => {
    const session = await context.newCDPSession(page)
    const quota = { origin: new URL(host.url).origin }
    await page.waitForSelector('#offline:has-text("opens without a network")')
    const usage = await page.evaluate<number>('navigator.storage.estimate().then(({ usage }) => usage)')
    await session.send('Storage.overrideQuotaForOrigin', { ...quota, quotaSize: usage + 1_000_000 })
    await find(page)
    requested()
    await page.click('#start')
    await shown(page, 'model-problem')
    expect(await textOf(page, 'model-problem')).toMatch(/room for .*B, wanted 3\.53 MB/)
    expect(requested()).toEqual([])
    await session.send('Storage.overrideQuotaForOrigin', quota)
  })

  it('refuses a file with a wrong byte, and names it', async () => {
    hub.faults.push({ file: ENCODER, times: 1, wrongByte: 1000 })
    await find(page)
    await page.click('#start')
    await shown(page, 'model-problem')
    expect(await textOf(page, 'model-problem')).toMatch(
      /^encoder\.int4\.onnx has the SHA-256 \w{64}, wanted \w{64}/,
    )
  })

  it('fetches what is missing from where the connection broke, and transcribes', async () => {
    hub.faults.push(
      { file: ENCODER, times: 1, cutAfter: 1_000_000 },
      { file: ENCODER, times: 1, status: 503 },
    )
    await find(page)
    requested()
    await page.click('#start')
    await shown(page, 'loaded')
    const all = requested()
    expect(all.slice(0, 3)).toEqual([`${ENCODER} 0`, `${ENCODER} 1000000`, `${ENCODER} 1000000`])
    expect(all.slice(3)).toEqual(['decoder.int4.onnx 0', 'decoder_weights.int4.data 0'])
    expect(await textOf(page, 'loaded')).toMatch(/me\/tiny · int4[\s\S]*\d+ threads · checked · loaded in/)
    expect(await hear(page, CLIP)).toBe(SAID)
  })

  it('transcribes in a thread that reaches only the page, where the page itself can', async () => {
    const ask = `fetch('${hub.url}/a/b/resolve/main/config.json').then(({ status }) => status, () => 'refused')`
    const thread = page.workers().find((worker) => worker.url().endsWith('worker-wasm.js'))
    expect(await thread?.evaluate(ask)).toBe('refused')
    expect(await page.evaluate(ask)).toBe(200)
  })

  it('shows the speed of each part, and when words are said', async () => {
    const rows = await page.locator('#speed tr').allInnerTexts()
    expect(rows.map((row) => row.split('\t')[0])).toEqual(['mel', 'encoder', 'prompt', 'decoding', 'all'])
    expect(rows[3]).toMatch(/\t\d+ tokens, \d+\.\d\/s$/)
    expect(rows[4]).toMatch(/ × speech$/)
    await page.click('#times summary')
    expect(await page.locator('#segments .word').allInnerTexts()).toEqual(SAID.split(' '))
    expect(await page.locator('#text').innerText()).toBe(await page.locator('#segments .said').innerText())
  })

  it.each([
    ['txt', `${SAID}\n`],
    ['srt', /^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nOne seven zero two nine two\.\n$/],
    ['vtt', /^WEBVTT\n\n00:00:00\.\d{3} --> [\s\S]*One <00:00:00\.\d{3}>seven/],
  ])('saves the text as .%s', async (extension, content) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`#save-${extension}`)])
    expect(download.suggestedFilename()).toBe(`held-out-000.${extension}`)
    expect(await readFile(await download.path(), 'utf8')).toEqual(
      typeof content === 'string' ? content : expect.stringMatching(content),
    )
  })

  it('says what is wrong with a recording, and continues', async () => {
    const file = join(root, 'text.wav')
    await writeFile(file, 'this is no recording at all')
    await hear(page, file)
    expect(await textOf(page, 'speech-problem')).toMatch(/The file holds text/)
    await writeFile(file, 'RIFF')
    await hear(page, file)
    expect(await textOf(page, 'speech-problem')).toMatch(/RIFF|WAV|format/)
    expect(await hear(page, CLIP)).toBe(SAID)
    expect(await page.locator('#speech-problem').isVisible()).toBe(false)
  })

  it('records from the microphone', async () => {
    await page.click('#record')
    await page.waitForSelector('#recording-text:has-text("0:01")')
    await until(page, 'document.querySelector("#level").value > 0.1')
    await page.click('#record')
    await until(page, '/^0:0[12] of sound/.test(document.querySelector("#speed-note").textContent)')
  })

  it('decodes with the browser what the runtime leaves to others', async () => {
    const samples = await page.evaluate(`(${RECORD_WEBM})(${JSON.stringify([...(await readFile(CLIP))])})`)
    const file = join(root, 'clip.webm')
    await writeFile(file, Uint8Array.from(samples as number[]))
    expect(await hear(page, file)).toMatch(/^One/)
  })

  it('takes what is kept again without a request, of another variant what it has of its own', async () => {
    await page.click('#change')
    await shown(page, 'choice')
    expect(await textOf(page, 'kept-list')).toMatch(/me\/tiny\s+int4, 3\.53 MB/)
    await find(page)
    expect(await textOf(page, 'start')).toBe('Load')
    await page.check('input[value="fp32"]')
    expect(await textOf(page, 'start')).toBe('Download 2.64 MB')
    requested()
  })

  it('continues a download after it was stopped and the page loaded again', async () => {
    hub.faults.push({ file: 'decoder_weights.data', times: 1, stallAfter: 1_500_000 })
    await page.click('#start')
    await page.waitForSelector('#progress-text:has-text("MB of 5.66 MB")')
    await until(page, 'document.querySelector("#bar").value > 0.75')
    await page.click('#cancel')
    await shown(page, 'choice')
    page = await openPage()
    expect(await textOf(page, 'kept-list')).toMatch(/fp32, 4\.\d+ MB of 5\.66 MB/)
    requested()
    await page.getByRole('button', { name: 'Continue me/tiny, fp32' }).click()
    await shown(page, 'loaded')
    expect(requested()).toEqual(['decoder_weights.data 1500000'])
    expect(await hear(page, CLIP)).toBe(SAID)
  })

  it('deletes what is kept', async () => {
    await page.click('#change')
    await shown(page, 'choice')
    await page.getByRole('button', { name: 'Delete me/tiny, fp32' }).click()
    await until(page, 'document.querySelectorAll("#kept-list li").length === 1')
    await find(page)
    await page.check('input[value="fp32"]')
    expect(await textOf(page, 'start')).toBe('Download 2.64 MB') // the encoder is int4's too
  })
})

describe('a folder of this device', () => {
  let page: Page
  beforeAll(async () => {
    page = await freshPage()
  })

  async function openFolder(folder: string, state: string): Promise<string> {
    await page.setInputFiles('#folder', folder)
    await shown(page, state)
    return textOf(page, state)
  }

  it('is checked by the manifest of its release', async () => {
    const folder = await copyOf('whole', [...NEEDED, 'release/manifest.json'])
    expect(await openFolder(folder, 'found')).toMatch(/^whole\n+Every file is checked/)
    await page.click('#start')
    await shown(page, 'loaded')
    expect(await textOf(page, 'loaded')).toMatch(/ · checked · /)
    expect(await hear(page, CLIP)).toBe(SAID)
    expect(requested()).toEqual([])
  })

  it('is refused for a file that is other than the manifest says', async () => {
    await page.click('#change')
    await shown(page, 'choice')
    const folder = await copyOf('other', [...NEEDED, 'release/manifest.json'])
    const table = await readFile(join(folder, 'embed_tokens.bin'))
    table[5] = (table[5] ?? 0) ^ 1
    await writeFile(join(folder, 'embed_tokens.bin'), table)
    await openFolder(folder, 'found')
    await page.click('#start')
    await shown(page, 'model-problem')
    expect(await textOf(page, 'model-problem')).toMatch(/^embed_tokens\.bin has the SHA-256/)
    await writeFile(join(folder, 'embed_tokens.bin'), table.subarray(1))
    await openFolder(folder, 'found')
    await page.click('#start')
    await page.waitForSelector('#model-problem:has-text("has 114687 bytes, wanted 114688")')
  })

  it('is not checked without a manifest, and says so', async () => {
    const folder = await copyOf('bare', NEEDED)
    expect(await openFolder(folder, 'found')).toMatch(/Not checked: the folder has no manifest\.json/)
    await page.click('#start')
    await shown(page, 'loaded')
    expect(await textOf(page, 'loaded')).toContain('not checked')
    expect(await hear(page, CLIP)).toBe(SAID)
  })

  it('leaves the microphone with the model that it was opened for', async () => {
    await page.focus('#record')
    await page.keyboard.press('Enter')
    await shown(page, 'recording')
    expect(await page.evaluate('document.activeElement.id')).toBe('record')
    await page.click('#change')
    await shown(page, 'choice')
    expect(await page.locator('#recording').isHidden()).toBe(true)
  })

  it('can be loaded as another variant when one does not load', async () => {
    const folder = await copyOf('broken', NEEDED)
    await writeFile(join(folder, 'decoder.int4.onnx'), 'this is no graph')
    await openFolder(folder, 'found')
    await page.click('#start')
    await shown(page, 'model-problem')
    expect(await textOf(page, 'model-problem')).toContain('decoder.int4.onnx')
    expect(await page.locator('#start').isVisible()).toBe(true)
    expect(await page.evaluate('document.activeElement.id')).toBe('start')
    await page.click('#back')
    await shown(page, 'choice')
  })

  it('is refused where it holds no release', async () => {
    const folder = await copyOf('none', ['config.json'])
    expect(await openFolder(folder, 'model-problem')).toMatch(
      /no release: none of its 1 files is encoder\.onnx/,
    )
  })
})

describe.each([
  ['light', 900],
  ['dark', 390],
] as const)('the looks, %s, %d px wide', (colorScheme, width) => {
  it('have no fault that axe-core finds, in any state, and fit the window', async () => {
    const page = await freshPage({ colorScheme, viewport: { width, height: 800 } })
    const look = async (state: string) => {
      expect([state, await page.evaluate(`${probes};probe.axe()`)]).toEqual([state, []])
      expect([state, await page.evaluate('probe.sticksOut()')]).toEqual([state, []])
    }
    await look('choice')
    hub.faults.push({ file: 'manifest.json', times: 1, status: 500 })
    await find(page, 'me/tiny', 'model-problem')
    await look('problem')
    await find(page)
    await look('found')
    hub.faults.push({ file: ENCODER, times: 1, stallAfter: 1_500_000 })
    await page.click('#start')
    await until(page, 'document.querySelector("#bar").value > 0.4')
    await look('progress')
    await page.click('#cancel')
    await shown(page, 'kept')
    await look('kept')
    await page.getByRole('button', { name: 'Continue' }).click()
    await shown(page, 'loaded')
    await page.click('#record')
    await shown(page, 'recording')
    await look('recording')
    await page.click('#record')
    await shown(page, 'done')
    await hear(page, CLIP)
    await look('done')
    await page.setInputFiles('#file', {
      name: 'no.wav',
      mimeType: 'audio/wav',
      buffer: Buffer.from('no sound'),
    })
    await shown(page, 'speech-problem')
    await look('problem of speech')
  })
})

describe('a page that was open before', () => {
  it('stays as it is when its host has a newer one, which opens the next time', async () => {
    const place = join(root, 'updated')
    await cp(join(root, 'page'), place, { recursive: true })
    const own = await startStaticHost(place)
    const other = await browser.newContext()
    const titles: string[] = []
    for (const isNew of [false, true, true]) {
      if (isNew && titles.length === 1) await buildPage(place, { hub: hub.url, release: 'you/other' })
      const page = await other.newPage()
      await page.goto(own.url)
      await until(page, READY)
      titles.push(await page.inputValue('#address'))
      if (titles.length === 2) await page.waitForSelector('#offline:has-text("newer version")')
      await page.close()
    }
    expect(titles).toEqual(['', '', 'you/other'])
    await Promise.all([other.close(), own.close()])
  })

  it('opens without its host, and transcribes as before without the hub', async () => {
    let page = await freshPage()
    await find(page)
    await page.click('#start')
    await shown(page, 'loaded')
    await page.waitForSelector('#offline:has-text("opens without a network")')
    await Promise.all([host.close(), hub.close()])
    page = await openPage('?release=me/tiny&variant=int4')
    await shown(page, 'found')
    await page.click('#start')
    await shown(page, 'loaded')
    expect(await hear(page, CLIP)).toBe(SAID)
  })
})
