// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { choiceSentences } from '../../eval/report/choice.ts'
import type { FidelityPoint } from '../../eval/report/fidelity-plot.ts'
import { reportPage } from '../../eval/report/page.ts'
import { remarks, remarksOf } from '../../eval/report/remarks.ts'
import { plainText } from '../../eval/report/sentence.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { figureChart } from '../../pipeline/release/chart.ts'
import { fidelityChart } from '../../pipeline/release/fidelity-chart.ts'
import { MAIN_FIGURES } from '../../pipeline/release/main-figure.ts'
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
  await Promise.all([
    writeCalm(),
    writeHostile(),
    writeLong(),
    writeEmpty(),
    writeFormulas(),
    writeFidelity(),
    writeSpoken().then(writeAligned),
  ])
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
      ...(row === 8 && { warnings: [`The file ends ${HOSTILE_NAMES[0]} too early.`] }),
      ...(row === 9 && { text: '', pieces: [], problem: `The file ${'y'.repeat(90)} is damaged.` }),
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

/** Words with their times: of two systems, of one whose words have none, in Arabic, and in writing without spaces. */
async function writeSpoken(): Promise<void> {
  const said = (words: readonly string[]) =>
    words.map((text, i) => {
      const end = i === words.length - 1 ? 1.9 : 0.25 * i + 0.25
      return { text, start: 0.25 * i + 0.125, end }
    })
  const texts = [
    ['Yes, it <b> is.', ['Yes,', 'it', '<b>', 'is.']],
    ['مرحبا بالعالم اختبار', ['مرحبا', 'بالعالم', 'اختبار']],
    ['今天 天气。', ['今', '天', '天', '气。']],
    ['no audio', ['no', 'audio']],
  ] as const
  const report = exampleReport({
    ...{ systems: ['FP32', 'int4', 'engine'], datasets: ['clips'], count: 4 },
    texts: (row) => ['yes', texts[row]?.[0] ?? ''],
    more: (row, system) => (system < 2 ? { words: said(texts[row]?.[1] ?? []) } : {}),
  })
  const tone = Float32Array.from({ length: 32000 }, (_, i) => 0.1 * Math.sin(i / 10))
  await writeFile(join(root, 'long-tone.wav'), encodeWav(tone))
  await writePage('spoken', report, (key) => (key === 'key 3' ? undefined : join(root, 'long-tone.wav')))
}

/** A recognizer, which is right, and an aligner, whose words are 250 ms later; the reference has exact times too. */
async function writeAligned(): Promise<void> {
  const said = (by: number) =>
    ['One,', 'two.'].map((text, i) => ({ text, start: 0.25 + i + by, end: 0.75 + i + by }))
  const report = exampleReport({
    ...{ systems: ['asr', 'aligner'], datasets: ['clips'], count: 2, kinds: ['model', 'aligner'] },
    texts: () => ['One, two.', 'One, two.'],
    more: (_, system) =>
      system === 0
        ? { seconds: 2, words: said(0), referenceWords: said(0) }
        : { ...{ text: '', pieces: [], seconds: 2 }, words: said(0.25), referenceWords: said(0) },
  })
  await writePage('aligned', report, () => join(root, 'long-tone.wav'))
}

interface Place {
  readonly x: number
  readonly width: number
}

const point = (
  name: string,
  megabytes: number,
  kld: number,
  speed?: number,
  isTrial = false,
): FidelityPoint => ({
  ...{ name, bytes: 1e6 * megabytes, kld, low: 0.6 * kld, high: 1.6 * kld, isTrial },
  ...(speed !== undefined && { speed }),
})

/** As many as a maintainer may try, of which several lie on each other; one has no letter that Latin has. */
const FIDELITY = [
  ...[point('fp32', 2990, 7e-14, 9), point('int4', 1050, 0.00092, 26), point('int4-hq', 600, 0.00028, 24)],
  ...[
    point('int4-auto', 690, 0.00007, 22),
    point('compact', 560, 0.00029, 24),
    point('q8', 980, 0.00001, 17),
  ],
  ...[point('int8', 950, 0.00003, 21), point('fp16', 1500, 0, 8), point('מודל', 720, 0.00102, 25, true)],
  ...[point('rtn-b128', 500, 0.0018, 27, true), point('two-bits', 380, 0.15, 30, true)],
  ...[point('k_quant', 515, 0.00085, 26, true), point('lm_head-q8', 590, 0.00082, 25, true)],
  ...[point('gptq-sym', 510, 0.00047, undefined, true), point('<img src=x onerror=alert(1)>', 960, 0.0004)],
]

async function writeFidelity(): Promise<void> {
  const systems = FIDELITY.filter(({ isTrial }) => !isTrial).map(({ name }) => name)
  const report = exampleReport({
    ...{ systems, datasets: ['clips'], count: 3 },
    texts: () => ['one two', 'one too'],
  })
  const html = await reportPage(report, { audioPath: () => undefined, fidelity: FIDELITY })
  await writeFile(join(root, 'fidelity.html'), html)
}

/** What was heard, and the cell of it. */
const FORMULAS = [
  ['=1+1', "'=1+1"],
  ['+cmd', "'+cmd"],
  ['-cmd', "'-cmd"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\tx', "'\tx"],
  ['\rx', "'\rx"],
  [' =1+1', "' =1+1"],
  ['＝1+1', "'＝1+1"],
  ['-5', '-5'],
  ['a, "b"; c', 'a, "b"; c'],
  ['x\n=1', 'x\n=1'],
] as const

async function writeFormulas(): Promise<void> {
  const report = exampleReport({
    ...{ systems: ['=system()'], datasets: ['clips'], count: FORMULAS.length },
    texts: (row) => ['said', FORMULAS[row]?.[0] ?? ''],
  })
  await writePage('formulas', report)
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
    '%s fits the window, in colours that differ enough',
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
      expect(await probe(page, 'scrollers()')).toEqual([]) // all of each table is in sight
    },
  )

  it('draws size against divergence without a label on another one or on a dot', async () => {
    const page = await openPage('fidelity.html', view)
    await page.evaluate('for (const details of document.querySelectorAll("details")) details.open = true')
    expect(await probe(page, 'sticksOut()')).toEqual([])
    expect(await probe(page, 'cutLetters("#chart-fidelity text")')).toEqual([])
    expect(await probe(page, 'coveredLetters("#chart-fidelity")')).toEqual([])
    const ground = colorScheme === 'light' ? '#ffffff' : '#13171b'
    const [letters, dots, height] = await probe<number[]>(
      page,
      `chartContrast("#chart-fidelity", "${ground}")`,
    )
    expect(letters).toBeGreaterThan(4.5)
    expect(dots).toBeGreaterThan(3)
    expect(height).toBeGreaterThan(11)
    const texts = await page.locator('#chart-fidelity .drawing text').allTextContents()
    for (const { name, isTrial } of FIDELITY)
      if (!isTrial && !name.includes('<')) expect(texts).toContain(name)
  })

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

describe('the tables', () => {
  it.each([320, 768, 1024, 1050, 1200])('are in sight as a whole in a window of %d px', async (width) => {
    const page = await openPage('calm.html', { viewport: { width, height: 800 } })
    expect(await probe(page, 'scrollers()')).toEqual([])
    expect(await probe(page, 'sticksOut()')).toEqual([])
  })

  it('sort by any column, up and down, from the keyboard too, with what is not known last', async () => {
    const page = await openPage('calm.html')
    const head = page.locator('#table-1 th', { hasText: /^memory$/ })
    const first = page.locator('#table-1 tbody th bdi')
    expect(await first.allTextContents()).toEqual(['FP32', 'int4'])
    await head.getByRole('button').click()
    expect(await head.getAttribute('aria-sort')).toBe('ascending')
    await page.keyboard.press('Enter')
    expect(await head.getAttribute('aria-sort')).toBe('descending')
    expect(await first.allTextContents()).toEqual(['int4', 'FP32'])
    expect(await page.locator('#status').textContent()).toBe('Sorted by memory, descending.')
    await page
      .locator('#table-1 th', { hasText: /^system$/ })
      .getByRole('button')
      .click()
    expect(await head.getAttribute('aria-sort')).toBe(null)
    expect(await first.allTextContents()).toEqual(['FP32', 'int4'])
  })

  it('sort numbers of several units by their size', async () => {
    const page = await openPage('hostile.html')
    const size = page.locator('#table-1 th', { hasText: /^size$/ }).getByRole('button')
    await size.click()
    await size.click()
    const sizes = await page.locator('#table-1 tbody td:last-child').allTextContents()
    expect([sizes[0], sizes.at(-1)]).toEqual(['3.90 GB', '900 MB'])
  })

  it('are saved as CSV with numbers in base units', async () => {
    const page = await openPage('calm.html')
    const saved = await csvOf(page, '#table-0 .save')
    expect(saved[0]).toEqual([
      'system',
      'WER',
      'WER low',
      'WER high',
      'words',
      'substitutions',
      'deletions',
      'insertions',
      'CER',
    ])
    expect(saved[2]?.[0]).toBe('int4')
    expect(Number(saved[2]?.[1])).toBeCloseTo((45 + 1 + 3) / 44, 12)
    expect(saved[2]?.slice(4, 8)).toEqual(['44', '40', '1', '8'])
  })
})

describe('the charts', () => {
  it('have a name, and their values as a table', async () => {
    const page = await openPage('calm.html')
    const drawings = await page.locator('.drawing').all()
    expect(drawings.length).toBe(7)
    for (const drawing of drawings) {
      expect(await drawing.getAttribute('role')).toBe('img')
      expect(await drawing.getAttribute('aria-label')).toMatch(/clips/)
    }
    await page.locator('#chart-wer summary').click()
    const cells = await page.locator('#values-wer tbody tr').nth(1).locator('th, td').allTextContents()
    expect(cells.slice(0, 3)).toEqual(['clips', 'int4', '111.36 %'])
  })

  it.each([{ hasTouch: false }, { hasTouch: true }])(
    'show a value where they are pointed at: $hasTouch',
    async (options) => {
      const page = await openPage('calm.html', options)
      const mark = page.locator('#chart-rtf .plot [data-value]').nth(2)
      await mark.scrollIntoViewIfNeeded()
      if (options.hasTouch) await mark.tap()
      else await mark.hover()
      expect(await page.locator('#tip').innerText()).toMatch(/system\s+FP32\s+part\s+prefill\s+RTF\s+0\.0100/)
      await page.mouse.move(1, 1)
      if (!options.hasTouch) expect(await page.locator('#tip').isVisible()).toBe(false)
    },
  )

  it('show their values to the arrow keys, and lead to the utterance of a dot', async () => {
    const page = await openPage('calm.html')
    await page.locator('#chart-wer .plot').focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    expect(await page.locator('#status').textContent()).toMatch(
      /^dataset \u2068clips\u2069, system \u2068int4\u2069, WER \u2068111.36 %/,
    )
    await page.keyboard.press('Escape')
    expect(await page.locator('#tip').isVisible()).toBe(false)
    await page.locator('#chart-latency .plot').focus()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    expect(await page.locator('#list .linked .id').innerText()).toMatch(/clip-3$/)
    expect(await page.evaluate('location.hash')).toBe('#utterance/clips/3')
  })
})

describe('the list of utterances', () => {
  it('says how many errors in how many words, and of what kind without colours', async () => {
    const page = await openPage('calm.html')
    await page.selectOption('#show', 'all')
    const said = await page.locator('#list .name small').allTextContents()
    expect(said.map((text) => text.split(',')[0])).toEqual([
      ...['0 errors in 40 words', '45 errors in 40 words'],
      ...['0 errors; the reference has no words', '3 errors; the reference has no words'],
      ...['0 errors in 3 words', '1 error in 3 words', '0 errors in 1 word', '0 errors in 1 word'],
    ])
    for (const place of ['.legend', '#list']) {
      expect(await probe(page, `markOf("${place} .s")`)).toBe('del struck, ins plain')
      expect(await probe(page, `markOf("${place} .d")`)).toBe('struck')
      expect(await probe(page, `markOf("${place} .i")`)).toBe('"+\u2060" before')
    }
  })

  it('plays one clip at a time; the focus stays on its button, which has a name of its own', async () => {
    const page = await openPage('calm.html')
    await page.selectOption('#show', 'all')
    const names = await page.getByRole('button', { name: /^Play / }).allTextContents()
    expect(names).toEqual(['Play clip-0', 'Play clip-2', 'Play clip-1'])
    const first = page.locator('#utterance-0 .play')
    await first.focus()
    await page.keyboard.press('Enter')
    await page.waitForFunction('document.querySelector("#utterance-0 audio").currentTime > 0')
    expect(await page.evaluate('document.activeElement.innerText')).toMatch(/^Pause/)
    await page.locator('#utterance-1 .play').press('Enter')
    // The first is paused by the event of the second, a moment later.
    const paused = '[...document.querySelectorAll("audio")].map(({ paused }) => paused).join()'
    await page.waitForFunction(`${paused} === "true,false"`)
    await page.waitForFunction('/^Play/.test(document.querySelector("#utterance-0 .play").innerText)')
    expect(await page.locator('#utterance-3 .head').innerText()).toContain('no audio in this page')
  })

  it('says so when it is empty', async () => {
    const page = await openPage('calm.html')
    const empty = page.locator('#empty')
    expect(await empty.isVisible()).toBe(false)
    await page.fill('#find', 'nobody said this')
    expect(await empty.isVisible()).toBe(true)
    expect(await empty.innerText()).toBe('No utterance matches.')
    expect(await page.locator('#download').isDisabled()).toBe(true)
    await openPage('long.html')
    await open?.selectOption('#show', 'failures')
    expect(await open?.locator('#list > li').count()).toBe(0)
    expect(await open?.locator('main').innerText()).toContain(
      'No output failed, was cut, or was split, and no recording was read with a note.',
    )
    await openPage('empty.html')
    expect(await open?.locator('main').innerText()).toMatch(
      /nothing has been transcribed yet[\s\S]*There are no figures to draw yet\.[\s\S]*There are no utterances in this report\./,
    )
  })

  it('opens the utterance of a link that the filter leaves out, among thousands, and continues from there', async () => {
    const page = await openPage('long.html#utterance/clips/2403')
    expect(await page.locator('#count').innerText()).toBe('25 of 2500')
    expect(await page.locator('#list > li').count()).toBe(26)
    const linked = page.locator('#utterance-2403')
    expect(await probe(page, 'isInWindow("#utterance-2403")')).toBe(true)
    expect(await page.evaluate('document.activeElement.id')).toBe('utterance-2403')
    await page.selectOption('#show', 'all')
    expect(await linked.count()).toBe(0)
    await page.locator('#more').press('Enter')
    expect(await page.locator('#list > li').count()).toBe(50)
    await page.locator('#list .id').nth(40).click()
    expect(await page.locator('#list > li').count()).toBe(50)
    await page.evaluate('location.hash = "#utterance/clips/9999"')
    await page.waitForFunction('!document.querySelector("#empty").hidden')
    expect(await page.locator('#empty').innerText()).toBe('The utterance of this link is not in the report.')
  })

  it('is saved as CSV that no spreadsheet runs, with numbers as numbers', async () => {
    const page = await openPage('formulas.html')
    await page.selectOption('#show', 'all')
    await page.selectOption('#sort', 'row')
    const [head, ...rows] = await csvOf(page, '#download')
    const column = (name: string) => rows.map((row) => row[head?.indexOf(name) ?? -1])
    expect(new Set(column('text'))).toEqual(new Set(FORMULAS.map(([, safe]) => safe)))
    expect(column('seconds')[0]).toBe('1')
    expect(column('system')[0]).toBe("'=system()")
    const text = await textOf(page, '#download')
    expect(text).toMatch(/^"'=system\(\)"|,"'=system\(\)",/m)
    expect(text.split('\r\n').length).toBeGreaterThan(rows.length)
  })
})

/** Play a clip until a place, and stop there. */
async function playedTo(page: Page, item: string, seconds: number): Promise<void> {
  await page.locator(`${item} .word`).first().click()
  await page.evaluate(`document.querySelector('${item} audio').pause()`)
  await page.evaluate(`document.querySelector('${item} audio').currentTime = ${seconds}`)
  await page.waitForFunction(`document.querySelector('${item} [aria-current]')`)
}

describe('the scripts', () => {
  it('are one script in the page, in which no name stands for two things', async () => {
    const folder = new URL('../../eval/report/', import.meta.url)
    const scripts = (await readdir(folder)).filter((name) => name.endsWith('.js'))
    const sources = await Promise.all(scripts.map((name) => readFile(new URL(name, folder), 'utf8')))
    const names = sources.flatMap((source) =>
      [...source.matchAll(/^(?:export )?(?:function|const|let) (\w+)/gm)].map(([, name]) => name),
    )
    expect(names.length).toBeGreaterThan(50)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })
})

describe('words with times', () => {
  const words = (page: Page, item: string) => page.locator(`${item} .spoken`).first().locator('.word')
  const shown = (page: Page) => page.locator('[aria-current]').allTextContents()

  it('are the words of the text, which stays as it is', async () => {
    const page = await openPage('spoken.html')
    await page.selectOption('#show', 'all')
    await page.selectOption('#sort', 'row')
    expect(await page.locator('#list .text').allTextContents()).toEqual(
      ['Yes, it <b> is.', 'مرحبا بالعالم اختبار', '今天 天气。', 'no audio'].flatMap((text) => [
        text,
        text,
        text,
      ]),
    )
    expect(await words(page, '#utterance-2').allTextContents()).toEqual(['今', '天', '天', '气。'])
    // neither where there is no audio, nor where words have no times
    expect(await page.locator('#list .spoken').count()).toBe(6)
    expect(await page.locator('#utterance-0 .spoken').first().getAttribute('aria-label')).toBe(
      'Words of \u2068FP32, clip-0\u2069: Enter plays from a word',
    )
    expect(await page.locator('#utterances > .note').innerText()).toContain(
      'Below each alignment is the recognized text. A click on a word plays the clip from there.',
    )
    const calm = await openPage('calm.html')
    expect(await calm.locator('#utterances > .note').innerText()).not.toContain('a click')
    expect(await calm.locator('.word').count()).toBe(0)
  })

  it('are shown while they are said, of all systems, and not at the end', async () => {
    const page = await openPage('spoken.html')
    await page.evaluate(`
      globalThis.seen = []
      new MutationObserver(() => {
        const now = [...document.querySelectorAll('#utterance-0 [aria-current]')].map((word) => word.textContent).join()
        if (now !== '') seen.push(now)
      }).observe(document.querySelector('#utterance-0'), { subtree: true, attributeFilter: ['aria-current'] })`)
    await page.locator('#utterance-0 .play').click()
    await page.waitForFunction(`seen.at(-1) === 'is.,is.'`)
    const seen = new Set(await page.evaluate<string[]>('seen'))
    // a browser that is short of time leaves pictures out
    expect([...seen]).toEqual(['Yes,,Yes,', 'it,it', '<b>,<b>', 'is.,is.'].filter((word) => seen.has(word)))
    expect(seen.size).toBeGreaterThan(1)
    await page.waitForFunction(`document.querySelector('#utterance-0 audio').ended`)
    expect(await shown(page)).toEqual([])
  })

  it('play the clip from where they are said when they are clicked', async () => {
    const page = await openPage('spoken.html')
    await words(page, '#utterance-0').nth(2).click()
    await page.waitForFunction(`document.querySelector('#utterance-0 audio').currentTime > 0.625`)
    expect(await page.locator('#utterance-0 .play').innerText()).toMatch(/^Pause/)
    const audio = `document.querySelector('#utterance-0 audio')`
    await page.evaluate(`${audio}.pause(); ${audio}.currentTime = 0.5`) // in the pause before it
    await page.waitForFunction(`!document.querySelector('#utterance-0 [aria-current]')`)
    await page.evaluate(`${audio}.currentTime = 0.4`)
    await page.waitForFunction(`document.querySelector('#utterance-0 [aria-current]')`)
    expect(await shown(page)).toEqual(['it', 'it'])
    await words(page, '#utterance-1').first().click()
    await page.waitForFunction(`document.querySelector('#utterance-1 audio').currentTime > 0.125`)
    expect(await page.evaluate(`${audio}.paused`)).toBe(true)
  })

  it('are one stop of the Tab key, and reached with the arrow keys in the direction of the writing', async () => {
    const page = await openPage('spoken.html')
    const focused = () => page.evaluate<string>('document.activeElement.textContent')
    await page.locator('#utterance-0 .play').focus()
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Yes,')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    expect(await focused()).toBe('<b>')
    await page.keyboard.press('Enter')
    await page.waitForFunction(`document.querySelector('#utterance-0 audio').currentTime > 0.625`)
    expect(await focused()).toBe('<b>')
    await page.keyboard.press('End')
    expect(await focused()).toBe('is.')
    const top = await page.evaluate('scrollY')
    await page.keyboard.press('Space')
    await page.waitForFunction(`document.querySelector('#utterance-0 audio').currentTime > 0.875`)
    expect(await page.evaluate('scrollY')).toBe(top)
    await page.keyboard.press('ArrowRight') // there is none
    await page.keyboard.press('Home')
    expect(await focused()).toBe('Yes,')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(`document.activeElement.parentElement.getAttribute('aria-label')`)).toContain(
      'int4',
    )
    await words(page, '#utterance-1').first().focus()
    await page.keyboard.press('ArrowLeft')
    expect(await focused()).toBe('بالعالم')
    expect(await page.locator('#utterance-1 .word[tabindex="0"]').allTextContents()).toEqual([
      'بالعالم',
      'مرحبا',
    ])
  })

  it('can be selected without playing', async () => {
    const page = await openPage('spoken.html')
    const line = words(page, '#utterance-0')
    await line.first().dblclick()
    await page.evaluate(`document.querySelector('#utterance-0 audio').pause()`)
    const drag = async (first: number, last: number) => {
      const [from, to] = [await line.nth(first).boundingBox(), await line.nth(last).boundingBox()]
      if (!from || !to) throw new Error('The words are not in the page.')
      await page.evaluate('getSelection().removeAllRanges()')
      await page.mouse.move(from.x + 1, from.y + 5)
      await page.mouse.down()
      await page.mouse.move(to.x + to.width - 1, to.y + 5)
      await page.mouse.up()
      return page.evaluate('String(getSelection())')
    }
    expect(await drag(0, 0)).toMatch(/^Y?es,?$/)
    expect(await drag(0, 3)).toMatch(/it <b> is/)
    expect(await page.evaluate(`document.querySelector('#utterance-0 audio').paused`)).toBe(true)
  })

  it.each([
    { colorScheme: 'light', width: 1280 },
    { colorScheme: 'dark', width: 390 },
  ] as const)(
    'have no fault that axe-core finds: $colorScheme, $width px wide',
    async ({ colorScheme, width }) => {
      const page = await openPage('spoken.html', { colorScheme, viewport: { width, height: 800 } })
      await playedTo(page, '#utterance-0', 0.2)
      await page.evaluate(axe)
      expect(await probe(page, 'axe()')).toEqual([])
    },
  )

  it.each(VIEWS)('differ enough, $colorScheme, $width px wide', async ({ colorScheme, width }) => {
    const page = await openPage('spoken.html', { colorScheme, viewport: { width, height: 800 } })
    const before = await words(page, '#utterance-0').nth(3).boundingBox()
    await playedTo(page, '#utterance-0', 0.2)
    expect(await words(page, '#utterance-0').nth(3).boundingBox()).toMatchObject({
      x: before?.x,
      width: before?.width,
    })
    const [letters, ground] = await probe<number[]>(page, 'wordContrast("[aria-current]")')
    expect(letters).toBeGreaterThan(4.5)
    expect(ground).toBeGreaterThan(3)
    expect(await probe(page, 'sticksOut()')).toEqual([])
  })
})

describe('words of an aligner', () => {
  const lanes = (page: Page) => page.locator('#utterance-0 .timeline .lane')

  async function opened(options = {}): Promise<Page> {
    const page = await openPage('aligned.html', options)
    await page.selectOption('#show', 'all')
    await page.locator('#utterance-0 summary').click()
    return page
  }

  it('stand below its name, without an alignment or a count of errors', async () => {
    const page = await opened()
    const results = page.locator('#utterance-0 .result')
    expect(await results.nth(2).locator('small').innerText()).toMatch(/^the reference, aligned, 0\.\d\d\ss$/)
    expect(await results.nth(2).locator('.words').count()).toBe(0)
    expect(await results.nth(2).locator('.spoken').innerText()).toBe('One, two.')
    await page.selectOption('#show', 'differ')
    expect(await page.locator('#list > li').count()).toBe(0)
  })

  it('are drawn where they are said, below those of others, and play from there', async () => {
    const page = await opened()
    expect(await page.locator('#utterance-0 .lane-name').allInnerTexts()).toEqual([
      'Reference',
      'asr',
      'aligner',
    ])
    const placeOf = async (lane: number, word: number) => {
      const box = await lanes(page).nth(lane).locator('.word').nth(word).boundingBox()
      return { x: box?.x ?? 0, width: box?.width ?? 0 }
    }
    const [known, asr, own, second] = [
      ...[await placeOf(0, 0), await placeOf(1, 0), await placeOf(2, 0), await placeOf(2, 1)],
    ] as [Place, Place, Place, Place]
    const pixels = second.x - own.x // of a second
    expect(asr).toEqual(known)
    expect((own.x - asr.x) / pixels).toBeCloseTo(0.25, 2)
    expect(own.width / pixels).toBeCloseTo(0.5, 2)
    expect(await lanes(page).nth(2).locator('.word').first().getAttribute('title')).toBe(
      'One, 0.50 to 1.00 s',
    )
    const audio = `document.querySelector('#utterance-0 audio')`
    await lanes(page).nth(2).locator('.word').nth(1).click()
    await page.waitForFunction(`${audio}.currentTime > 1.5`)
    await page.evaluate(`${audio}.pause(); ${audio}.currentTime = 0.6`)
    await page.waitForFunction(`document.querySelectorAll('#utterance-0 .lane [aria-current]').length === 3`)
    expect(await page.locator('#utterance-0 .cursor').isVisible()).toBe(true)
    await lanes(page).nth(1).locator('.word').first().focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await page.waitForFunction(`${audio}.currentTime >= 1.25 && ${audio}.currentTime < 1.5`)
  })

  it.each(VIEWS)('have no fault, $colorScheme, $width px wide', async ({ colorScheme, width }) => {
    const page = await opened({ colorScheme, viewport: { width, height: 800 } })
    await page.evaluate(axe)
    expect(await probe(page, 'axe()')).toEqual([])
    expect(await probe(page, 'sticksOut()')).toEqual([])
  })

  it('are shown at once where nothing else was measured', async () => {
    const report = exampleReport({
      ...{ systems: ['aligner'], datasets: ['clips'], count: 2, kinds: ['aligner'] },
      ...{
        texts: () => ['One.', ''],
        more: () => ({ pieces: [], words: [{ text: 'One.', start: 0, end: 1 }] }),
      },
    })
    await writePage('alone', report)
    const page = await openPage('alone.html')
    expect(await page.locator('#list > li').count()).toBe(2)
    expect(await page.locator('.timeline').count()).toBe(0)
    expect(await page.locator('#utterances .legend').count()).toBe(0)
  })
})

describe('text of others', () => {
  it('is text, kept apart, and whole where it counts', async () => {
    const page = await openPage('hostile.html')
    await page.selectOption('#show', 'all')
    expect(await page.evaluate('window.hacked')).toBe(undefined)
    expect(await page.locator('main img').count()).toBe(0)
    const parts = ['onerror=', 'gnp.exe', 'xxxxxxxx', 'نظام', 'family', 'HYPERLINK', '漢字', 'مرحبا']
    expect(await probe(page, `notIsolated(${JSON.stringify(parts)})`)).toEqual([])
    const legend = await page.locator('#systems bdi').allTextContents()
    expect(legend.slice(1, 8)).toEqual(HOSTILE_NAMES.slice(0, 7))
    expect(legend[8]).toBe('bell\u2407 and \u241b[31mred\u241b[0m')
    expect(await page.locator('.remarks').last().innerText()).toContain(
      `The file ${'y'.repeat(90)} is damaged.`,
    )
    const saved = await csvOf(page, '#table-0 .save')
    expect(saved.map(([name]) => name)).toContain('x'.repeat(500))
    const labels = await page.locator('#chart-wer .panel').first().locator('text').allTextContents()
    expect(labels).toContain(`10: ${'a'.repeat(21)}…${'b'.repeat(14)}`)
    expect(labels).toContain(`11: ${'a'.repeat(21)}…${'b'.repeat(14)}`)
  })
})

describe('recordings that were read with a note', () => {
  const NOTE = 'The file ends 1.25 s before its data chunk does.'
  const report = exampleReport({
    ...{ systems: ['FP32', 'int4'], datasets: ['clips', 'calm'], count: 9 },
    texts: () => ['one', 'one'],
    more: (row, system) => (row < 7 && system === 0 ? { warnings: [NOTE, 'And more.'] } : {}),
  })

  it('are counted and named under the figures', () => {
    const only = { ...report, scores: new Map([...report.scores].slice(0, 1)) }
    const said = remarksOf(only).failures.map(plainText)
    expect(said).toEqual([
      'clips: 7 recordings were read with a note',
      ...[0, 1, 2, 3, 4].map((row) => `clips, clip-${row}: ${NOTE} And more.`),
      'and 2 more, in results.jsonl',
    ])
    expect(remarks(report)).toEqual(expect.arrayContaining(said.slice(0, -1)))
  })

  it('are shown in the list, and found there, as text', async () => {
    await writePage('noted', report)
    const page = await openPage('noted.html')
    await page.selectOption('#show', 'failures')
    expect(await page.locator('#count').innerText()).toBe('14 of 18')
    expect(await page.locator('#utterance-0 .noted').allInnerTexts()).toEqual(
      [NOTE, 'And more.'].map((note) => `The recording was read with a note: ${note}`),
    )
    const [head, first] = await csvOf(page, '#download')
    expect(first?.[head?.indexOf('remarks') ?? -1]).toBe(`${NOTE}; And more.`)
  })
})

describe('what has no interval', () => {
  it('is not compared, and is drawn all the same', async () => {
    const one = exampleReport({
      ...{ systems: ['FP32', 'int4'], datasets: ['clips'], count: 1 },
      texts: (_, system) => ['one', system === 0 ? 'one' : 'two words more'],
    })
    expect(remarksOf(one).differences.map(plainText)).toEqual([
      'clips: int4 and FP32 cannot be compared by 1 utterance: there is no interval',
    ])
    expect(figureChart(MAIN_FIGURES.asr, [one], new Map())).toContain(', no interval.')
    const silence = exampleReport({
      ...{ systems: ['FP32'], datasets: ['noise'], count: 3 },
      texts: () => ['', 'one two three'],
    })
    await writePage('silence', silence)
    const page = await openPage('silence.html')
    expect(await probe(page, 'sticksOut()')).toEqual([])
    const ends = '(({ left, right }) => [left, right])'
    const [mark, plot] = (await page.evaluate(
      `['#chart-wer .plot [data-value]', '#chart-wer svg'].map((at) => ${ends}(document.querySelector(at).getBoundingClientRect()))`,
    )) as [number, number][]
    expect(mark?.[1]).toBeLessThan(plot?.[1] ?? 0)
  })
})

describe('on paper', () => {
  it('has black on white, no controls, and the width of the sheet', async () => {
    const page = await openPage('calm.html', { colorScheme: 'dark', viewport: { width: 700, height: 900 } })
    await page.emulateMedia({ media: 'print', colorScheme: 'dark', reducedMotion: 'reduce' })
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)')
    for (const control of ['#filter', '#more', '.save', '.play', '.chart summary'])
      expect(await page.locator(control).first().isVisible()).toBe(false)
    expect(await probe(page, 'sticksOut()')).toEqual([])
    expect((await probe<number[]>(page, 'pageSize()'))[0]).toBe(700)
    expect(await page.evaluate('getComputedStyle(document.documentElement).scrollBehavior')).toBe('auto')
    expect(await probe(page, 'moving()')).toEqual([])
  })
})

describe('the words of the header', () => {
  const said = (
    dataset: object,
    selection: Record<string, string | number>,
    shard?: { index: number; of: number },
  ) => {
    const report = exampleReport({ systems: ['FP32'], datasets: ['clips'], count: 0, texts: () => ['', ''] })
    const datasets = [{ ...report.run.datasets[0], ...dataset }] as typeof report.run.datasets
    const run = { ...report.run, datasets, selection, ...(shard && { shard }) }
    return choiceSentences({ ...report, run }).map(plainText)
  }

  it('are those of a reader', () => {
    expect(said({ count: 70, of: 70 }, { sample: 'all' })).toEqual([
      'All 70 utterances of the local folder clips.',
    ])
    expect(said({ count: 1, of: 1 }, { sample: 'all' })).toEqual([
      'The only utterance of the local folder clips.',
    ])
    const hub = {
      kind: 'hub',
      repo: 'a/b',
      config: 'other',
      split: 'test',
      revision: 'abc',
      text_column: 'text',
    }
    expect(
      said(
        { source: hub, count: 200, of: 2939 },
        { sample: 'seeded', count: 200, seed: 7 },
        { index: 2, of: 8 },
      ),
    ).toEqual([
      '200 of the 2,939 utterances of clips (a/b, config other, split test, revision abc, text column text), drawn at random (seed 7). This is part 2 of 8.',
    ])
    const file = { kind: 'parquet', file: 'x.parquet' }
    expect(said({ source: file, count: 3, of: 5 }, { sample: 'first', count: 3 })).toEqual([
      '3 of the 5 utterances of clips (x.parquet), the first of them.',
    ])
  })
})

describe.each(['light', 'dark'] as const)('the chart of the model card, %s', (colorScheme) => {
  it('stands by itself, has a name, and is read on its own ground', async () => {
    const report = exampleReport({
      ...{ systems: ['FP32', 'int4'], datasets: [...HOSTILE_NAMES.slice(0, 4), 'no\u00a0break'], count: 3 },
      texts: (row) => ['one two', row > 1 ? 'one' : 'one two'],
    })
    await writeFile(
      join(root, 'wer.svg'),
      figureChart(MAIN_FIGURES.asr, [report], new Map([['FP32', 3e9]])) ?? '',
    )
    const page = await openPage('wer.svg', { colorScheme })
    expect(await page.evaluate('document.documentElement.localName')).toBe('svg') // an error in the XML is a page
    expect(await page.locator('svg').getAttribute('role')).toBe('img')
    expect(await page.locator('title').first().textContent()).toMatch(/^Word error rate on .*onerror/)
    expect(await page.locator('desc').textContent()).toContain(': 16.67 % · RTF 0.050 · 3.00 GB, 95 % from')
    expect(await probe(page, 'cutLetters("svg text")')).toEqual([])
    const [letters, marks] = await probe<[number, number]>(page, 'pictureContrast()')
    expect(letters).toBeGreaterThan(4.5)
    expect(marks).toBeGreaterThan(3)
  })
})

describe.each(['light', 'dark'] as const)('the chart of size against divergence, %s', (colorScheme) => {
  it('stands by itself as a picture, and says what it shows', async () => {
    await writeFile(join(root, 'fidelity.svg'), fidelityChart(FIDELITY) ?? '')
    const page = await openPage('fidelity.svg', { colorScheme })
    expect(await page.evaluate('document.documentElement.localName')).toBe('svg') // an error in the XML is a page
    expect(await page.locator('title').allTextContents()).toEqual(['Size against divergence from FP32'])
    expect(await page.locator('desc').textContent()).toContain(
      '\u2068gptq-sym\u2069 (trial): 510 MB, KLD 0.00047 nats, 95 % from 0.00028 to 0.00075.',
    )
    expect(await probe(page, 'cutLetters("svg text")')).toEqual([])
    expect(await probe(page, 'coveredLetters("svg")')).toEqual([])
    const ground = colorScheme === 'light' ? '#ffffff' : '#13171b'
    const [letters, dots] = await probe<number[]>(page, `chartContrast("svg", "${ground}")`)
    expect(letters).toBeGreaterThan(4.5)
    expect(dots).toBeGreaterThan(3)
    expect(await page.evaluate('getComputedStyle(document.querySelector("#ground")).fill')).toBe(
      colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(19, 23, 27)',
    )
  })
})

async function textOf(page: Page, button: string): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(button)])
  return readFile(await download.path(), 'utf8')
}

async function csvOf(page: Page, button: string): Promise<string[][]> {
  return parse(await textOf(page, button), { record_delimiter: '\r\n' }) as string[][]
}
