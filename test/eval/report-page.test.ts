import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { encodeWav } from '../../eval/audio/wav.ts'
import { reportPage } from '../../eval/report/page.ts'
import { startBrowser } from '../helpers/browser.ts'
import { exampleReport, HOSTILE_NAMES } from '../helpers/report-records.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const PROBE = new URL('../helpers/page-probe.js', import.meta.url)
const VIEWS = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [1280, 390].map((width) => ({ colorScheme, width })),
)
const WORDS = 'one two three four five six seven eight nine ten '

let root = ''
let browser: Browser
let probes = ''
let axe = ''
let open: Page | undefined
/** What the open page asked for, and what went wrong in it. */
const requests: string[] = []
const problems: string[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-page-'))
  const started = startBrowser()
  await Promise.all([writeCalm(), writeHostile(), writeLong(), writeEmpty()])
  ;[probes, axe] = await Promise.all([readFile(PROBE, 'utf8'), readFile(AXE, 'utf8')])
  browser = await started
})

afterEach(async () => {
  await open?.context().close()
  open = undefined
  expect(problems.splice(0)).toEqual([])
  expect(requests.splice(0).filter((url) => !/^(file|blob):/.test(url))).toEqual([])
})

afterAll(async () => {
  await browser?.close()
  await rm(root, { recursive: true, force: true })
})

/** Two systems, of which one makes every kind of error; four clips, of which three have audio. */
async function writeCalm(): Promise<void> {
  const texts = [
    [WORDS.repeat(4), `${'nought '.repeat(40)}and five words more here`],
    ['left two out', 'left out'],
    ['', 'three words heard'],
    ['right', 'right'],
  ] as const
  const report = exampleReport({
    ...{ systems: ['FP32', 'int4'], datasets: ['clips'], count: 4 },
    texts: (row, system) => {
      const [reference, heard] = texts[row] ?? ['', '']
      return [reference, system === 0 ? reference : heard]
    },
  })
  const tone = Float32Array.from({ length: 16000 }, (_, i) => 0.1 * Math.sin(i / 10))
  await writeFile(join(root, 'tone.wav'), encodeWav(tone))
  await writePage('calm', report, (key) => (key === 'key 3' ? undefined : join(root, 'tone.wav')))
}

async function writeHostile(): Promise<void> {
  const report = exampleReport({
    systems: [
      'FP32',
      ...HOSTILE_NAMES,
      `${'a'.repeat(60)}1${'b'.repeat(60)}`,
      `${'a'.repeat(60)}2${'b'.repeat(60)}`,
    ],
    datasets: HOSTILE_NAMES.slice(0, 2),
    count: 10,
    texts: (row) =>
      row < HOSTILE_NAMES.length
        ? [`said ${HOSTILE_NAMES[row]}`, `${HOSTILE_NAMES[row]} heard`]
        : ['مرحبا بالعالم هذا اختبار', 'مرحبا هذا اختبار جديد'],
    more: (row) => ({
      ...{ id: HOSTILE_NAMES[row] ?? `clip-${row}`, speaker: HOSTILE_NAMES[row] ?? 'speaker' },
      ...(row === 9 && { text: '', pieces: [], problem: `The file ${HOSTILE_NAMES[2]} is damaged.` }),
    }),
  })
  await writePage('hostile', report)
}

/** Thousands of utterances, of which one in a hundred has an error. */
async function writeLong(): Promise<void> {
  const report = exampleReport({
    ...{ systems: ['FP32', 'int4'], datasets: ['clips'], count: 2500 },
    texts: (row) => [WORDS, row % 100 === 7 ? WORDS.replace('two', 'too') : WORDS],
  })
  await writePage('long', report)
}

async function writeEmpty(): Promise<void> {
  await writePage(
    'empty',
    exampleReport({ ...{ systems: ['FP32'], datasets: ['clips'], count: 0 }, texts: () => ['', ''] }),
  )
}

async function writePage(
  name: string,
  report: ReturnType<typeof exampleReport>,
  audio: (key: string) => string | undefined = () => undefined,
): Promise<void> {
  const html = await reportPage(report, { audioPath: (_, key) => audio(key) })
  await writeFile(join(root, `${name}.html`), html)
}

async function openPage(name: string, options: BrowserContextOptions = {}): Promise<Page> {
  await open?.context().close()
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  open = page
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(`file://${root}/${name}`)
  await page.evaluate(probes)
  return page
}

const probe = <T>(page: Page, call: string) => page.evaluate<T>(`probe.${call}`)

describe.each(VIEWS)('the report page, $colorScheme, $width px wide', ({ colorScheme, width }) => {
  const view = { colorScheme, viewport: { width, height: 800 } }

  it.each(['calm.html', 'hostile.html'])(
    '%s fits the window, in colours that can be told apart',
    async (name) => {
      const page = await openPage(name, view)
      await page.evaluate('for (const details of document.querySelectorAll("details")) details.open = true')
      expect(await probe(page, 'sticksOut()')).toEqual([])
      expect((await probe<number[]>(page, 'pageSize()'))[0]).toBe(width)
      for (const side of await probe<number[]>(page, 'legendMarks()')) {
        expect(side).toBeGreaterThan(5)
        expect(side).toBeLessThanOrEqual(40)
      }
      for (const chart of await probe<number[]>(page, 'chartWidths()')) expect(chart).toBeGreaterThan(300)
      expect(await probe(page, 'letterSize()')).toBeGreaterThan(10.5)
      expect(Math.min(...(await probe<number[]>(page, 'markContrast()')))).toBeGreaterThan(3)
      if (width < 400) expect(await probe(page, 'scrollers()')).toEqual([]) // all of each table is in sight
    },
  )

  it('has no fault that axe-core finds', async () => {
    const page = await openPage('calm.html', view)
    await page.evaluate(axe)
    const isWhole = (width === 1280) === (colorScheme === 'light')
    expect(await probe(page, `axe(${isWhole ? '' : '["color-contrast"]'})`)).toEqual([])
  })

  it('is as long as what it shows', async () => {
    const page = await openPage('calm.html', view)
    expect(await probe(page, 'cutLetters()')).toEqual([])
    const [, height] = await probe<[number, number]>(page, 'pageSize()')
    expect(height).toBeLessThan(width > 400 ? 3600 : 7200)
  })
})
