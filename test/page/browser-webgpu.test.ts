// SPDX-License-Identifier: Apache-2.0

import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { buildPage } from '../../pipeline/page/build-page.ts'
import { SOFTWARE_WEBGPU, startBrowser } from '../helpers/browser.ts'
import { copyFiles, hear, NEEDED, READY, shown, textOf, until } from '../helpers/page-driver.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { startStaticHost } from '../helpers/static-host.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

/* The built page with WebGPU by SwiftShader, a device in software without float16. Tests go on where those before ended. */

/** The longest, and a short one of which FP32 and int4 do not say the same: each token takes half a second. */
const CLIPS = { fp32: ['043'], int4: ['058', '043'] } as const
const clipFile = (id: string) => join(BUNDLED_SPEECH, `held-out-${id}.flac`)
const LONGEST = clipFile(CLIPS.int4[0])
const FILES = [
  ...NEEDED,
  ...['encoder.onnx', 'decoder.onnx', 'decoder_weights.data', 'release/manifest.json'],
]
/** Programs are compiled for a device in software. */
const SECONDS = 600

let root = ''
let model = ''
let browser: Browser
let host: Awaited<ReturnType<typeof startStaticHost>>
let page: Page
/** what int4 hears in the longest */
let longestText = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-page-'))
  model = join(await sharedReleases(), TINY_NAME)
  await copyFiles(model, join(root, 'tiny'), FILES)
  await buildPage(join(root, 'page'), { hub: 'http://localhost:1' })
  host = await startStaticHost(join(root, 'page'))
  const microphone = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream=deny']
  browser = await startBrowser([...SOFTWARE_WEBGPU, ...microphone])
  page = await openPage()
})

afterAll(async () => {
  await browser?.close()
  await host?.close()
  await rm(root, { recursive: true, force: true })
})

async function openPage(script = ''): Promise<Page> {
  const opened = await (await browser.newContext()).newPage()
  opened.setDefaultTimeout(1000 * SECONDS)
  await opened.addInitScript(script)
  await opened.goto(host.url)
  await until(opened, READY)
  return opened
}

async function load(variant: string): Promise<string> {
  if (await page.locator('#change').isVisible()) await page.click('#change')
  await shown(page, 'choice')
  await page.setInputFiles('#folder', join(root, 'tiny'))
  await shown(page, 'found')
  await page.check('input[value="webgpu"]')
  await page.check(`input[value="${variant}"]`)
  await page.click('#start')
  await shown(page, 'loaded')
  return textOf(page, 'loaded')
}

interface Said {
  readonly text: string
  readonly tokens: number
}

/** What the processor hears in Node, by the graph of the steps as in browsers. */
async function heardInNode(variant: keyof typeof CLIPS): Promise<Said[]> {
  await using asr = await Qwen3Asr.load(model, { variant, threads: 1, prefill: 'same', cache: false })
  const transcripts = await Promise.all(CLIPS[variant].map((id) => asr.transcribe(clipFile(id))))
  return transcripts.map(({ text, segments }) => ({
    text,
    tokens: segments.reduce((sum, { tokens }) => sum + tokens, 0),
  }))
}

async function heardInPage(variant: keyof typeof CLIPS): Promise<Said[]> {
  const said: Said[] = []
  for (const id of CLIPS[variant]) {
    const text = await hear(page, clipFile(id))
    const [, tokens = ''] = /(\d+) tokens?,/.exec(await textOf(page, 'speed')) ?? []
    said.push({ text, tokens: Number(tokens) })
  }
  return said
}

it.each(['fp32', 'int4'] as const)(
  'transcribes a short and a long clip in %s as the processor does in Node',
  async (variant) => {
    expect(await load(variant)).toMatch(/WebGPU.*swiftshader, no 16-bit floats.* · checked · /)
    const said = await heardInNode(variant)
    expect(await heardInPage(variant)).toEqual(said)
    longestText = said[0]?.text ?? ''
  },
  1000 * SECONDS,
)

it('offers fp16 first where the adapter has the feature, which a stub claims here', async () => {
  const stub =
    "Object.defineProperty(GPUAdapter.prototype, 'features', { get: () => new Set(['shader-f16']) })"
  // and another name than that of a device in software, which comes second
  const name = "Object.defineProperty(GPUAdapter.prototype, 'info', { get: () => ({ vendor: 'stub' }) })"
  const folder = await copyFiles(model, join(root, 'with-fp16'), NEEDED)
  await copyFile(join(folder, 'decoder.int4.onnx'), join(folder, 'decoder.fp16.onnx')) // which is offered, not loaded
  const offered: string[][] = []
  for (const script of ['', `${stub};${name}`]) {
    const own = await openPage(script)
    await own.setInputFiles('#folder', folder)
    await shown(own, 'found')
    const chosen = ['device', 'variant'].map((group) =>
      own.locator(`input[name="${group}"]:checked`).inputValue(),
    )
    offered.push(await Promise.all(chosen))
    await own.context().close()
  }
  expect(offered).toEqual([
    ['cpu', 'int4'],
    ['webgpu', 'fp16'],
  ])
})

describe('a device that is lost', () => {
  it('is said, the text so far stays, and the recording is transcribed again by the processor', async () => {
    await page.setInputFiles('#file', LONGEST)
    await until(page, 'document.querySelector("#text").textContent !== ""', SECONDS)
    await crashGpu()
    await shown(page, 'speech-problem')
    expect(await textOf(page, 'speech-problem')).toMatch(
      /^The graphics device was lost.*\n+Load the model again, on this device or on the processor\.\n+Load it again\nLoad it on the processor$/,
    )
    const before = await textOf(page, 'text')
    expect(before).not.toBe('')
    expect(longestText.startsWith(before)).toBe(true)
    expect(await textOf(page, 'stopped')).toBe('The text is incomplete.')
    await page.click('#speech-problem >> text=Load it on the processor')
    await shown(page, 'done')
    expect(await textOf(page, 'loaded')).toContain('WebAssembly')
    expect(await textOf(page, 'text')).toBe(longestText)
  })
})

/** As a driver that fails does. The browser starts another process for graphics. */
async function crashGpu(): Promise<void> {
  const session = await browser.newBrowserCDPSession()
  void session.send('Browser.crashGpuProcess').catch(() => undefined) // who would answer is gone
}

it('says that the microphone was not allowed, and what to do', async () => {
  await page.click('#record')
  await shown(page, 'speech-problem')
  expect(await textOf(page, 'speech-problem')).toMatch(
    /^The microphone was not allowed\.\n+Allow it in the browser's settings of this page, or choose a file\.$/,
  )
  expect(await page.locator('#recording').isHidden()).toBe(true)
  expect(await textOf(page, 'record')).toBe('Record')
})

it('transcribes a file that is dropped, and opens a folder that is', async () => {
  await drop(clipFile('000'))
  await until(page, 'document.querySelector("#text").textContent.startsWith("One seven zero two nine two.")')
  expect(await page.locator('#speech-problem').isHidden()).toBe(true)
  await shown(page, 'done')
  await drop(join(root, 'tiny'))
  await shown(page, 'found')
  expect(await textOf(page, 'found-name')).toBe('tiny')
})

/** As a hand does it. @param path of a file or folder */
async function drop(path: string): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: [path], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data })
}
