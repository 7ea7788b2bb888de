// SPDX-License-Identifier: Apache-2.0

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cuesOf, type TimedText, vtt } from '../../eval/cues.ts'
import { startBrowser } from '../helpers/browser.ts'

let browser: Browser
let page: Page

beforeAll(async () => {
  browser = await startBrowser()
  page = await browser.newPage()
})

afterAll(() => browser?.close())

interface Read {
  readonly start: number
  readonly end: number
  /** what is shown, and the times in it, in their order */
  readonly parts: readonly (string | number)[]
}

/** What a browser makes of a file. Times in the text are processing instructions there (WebVTT section 6.2). */
async function read(file: string): Promise<Read[]> {
  return page.evaluate(`(async () => {
    const track = document.createElement('track')
    const video = document.createElement('video')
    video.append(track)
    document.body.replaceChildren(video)
    track.track.mode = 'hidden'
    const loaded = new Promise((resolve, reject) => {
      track.onload = resolve
      track.onerror = () => reject(new Error('The browser cannot read the file.'))
    })
    track.src = URL.createObjectURL(new Blob([${JSON.stringify(file)}], { type: 'text/vtt' }))
    await loaded
    const seconds = (time) => time.split(':').reduce((sum, part) => 60 * sum + Number(part), 0)
    return [...track.track.cues].map((cue) => ({
      start: cue.startTime,
      end: cue.endTime,
      parts: [...cue.getCueAsHTML().childNodes].map(({ nodeType, data }) => (nodeType === 7 ? seconds(data) : data)),
    }))
  })()`)
}

const said = (words: readonly string[], at: number) =>
  words.map((text, i) => ({ text, start: at + 0.3 * i, end: at + 0.3 * i + 0.25 }))

describe('WebVTT in a browser', () => {
  it('has the times of words where they stand', async () => {
    const text = 'Yes, <b>AT&T</b> --> &lt; it is.'
    const cues = cuesOf([{ start: 0, end: 9, text, words: said(text.split(' '), 3) }])
    expect(await read(vtt(cues, { marksWords: true }))).toEqual([
      {
        ...{ start: 3, end: 4.75 },
        parts: ['Yes, ', 3.3, '<b>AT&T</b> ', 3.6, '--> ', 3.9, '&lt; ', 4.2, 'it ', 4.5, 'is.'],
      },
    ])
    expect(await read(vtt(cues))).toEqual([{ start: 3, end: 4.75, parts: [text] }])
  })

  it('has every cue of a long text, in writing without spaces too', async () => {
    const texts = [0, 1, 2, 3].map((i): TimedText => {
      const words = ['今天', '天气', '很好，', '我们', ' GPT', '去', '公园。', 'ไป', 'เดินเล่น'].flatMap(
        (word) => [word, word],
      )
      return { start: 20 * i, end: 20 * i + 19, text: words.join(''), words: said(words, 3600 + 20 * i) }
    })
    const cues = cuesOf(texts)
    const found = await read(vtt(cues, { marksWords: true }))
    expect(found.map(({ start, end }) => [start, end])).toEqual(cues.map(({ start, end }) => [start, end]))
    expect(found.map(({ parts }) => parts.filter((part) => typeof part === 'string').join(''))).toEqual(
      cues.map((cue) => cue.text),
    )
    const times = found.flatMap(({ parts }) => parts.filter((part) => typeof part === 'number'))
    expect(times).toHaveLength(4 * 18 - cues.length)
  })
})
