// SPDX-License-Identifier: Apache-2.0

import type { Transcript } from '../runtime/qwen3-asr.ts'
import { divOf, element } from './dom.ts'
import { clockText, secondsText } from './quantities.ts'
import type { Device } from './variant-choice.ts'

type Part = keyof Transcript['timing']

const NAMES: Readonly<Partial<Record<Part, string>>> = {
  mel: 'mel',
  encoder: 'encoder',
  prefill: 'prompt',
  decode: 'decoding',
}

interface Run {
  /** seconds from the file to the text */
  readonly took: number
  /** with this model since it was loaded */
  readonly isFirst: boolean
  readonly device: Device
}

/** Show how long each part of the work took, and how long that is for a second of speech. */
export function showSpeed(transcript: Transcript, run: Run): void {
  const { seconds, timing, segments } = transcript
  const tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0)
  const parts = Object.entries(NAMES).map(([part, name]) => ({ part, name, time: timing[part as Part] ?? 0 }))
  const total = parts.reduce((sum, { time }) => sum + time, 0)
  const rows = parts.map(({ part, name, time }) => {
    const rate =
      part === 'decode' && time > 0
        ? `${tokens} ${tokens === 1 ? 'token' : 'tokens'}, ${(tokens / time).toFixed(1)}/s`
        : ''
    return row(part, name, time, seconds, rate)
  })
  const times = total > 0 ? `${(seconds / total).toFixed(1)} × speech` : ''
  divOf('speed').replaceChildren(...rows, row('all', 'all', total, seconds, times))
  divOf('parts').replaceChildren(...parts.map(({ part, time }) => bar(part, total > 0 ? time / total : 0)))
  divOf('speed-note').textContent = noteOf(seconds, run)
}

function noteOf(seconds: number, { took, isFirst, device }: Run): string {
  const compiles = isFirst && device.provider === 'webgpu'
  return [
    `${clockText(seconds)} of sound in ${secondsText(took)}, with reading the file.`,
    ...(compiles
      ? ["The first recording waits for the device's programs to be compiled; the next ones do not."]
      : []),
    'RTF is seconds of work for a second of sound.',
  ].join(' ')
}

function row(part: string, name: string, time: number, length: number, rate: string): HTMLTableRowElement {
  const head = element('th', '', element('i', `part ${part}`), name)
  head.scope = 'row'
  const share = length > 0 ? (time / length).toFixed(3) : ''
  const cells = [secondsText(time), share, rate].map((text) => element('td', '', text))
  return element('tr', '', head, ...cells)
}

/** @param share of all parts: it is as wide */
function bar(part: string, share: number): HTMLElement {
  const made = element('i', part)
  made.style.flexGrow = String(share)
  return made
}
