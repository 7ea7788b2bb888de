// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { jsonReporter, plainReporter } from '../../pipeline/commands/reporter.ts'
import { makeProgress } from '../../pipeline/evaluate/evaluation-progress.ts'
import { printable, printableLines, printableSpeech } from '../../pipeline/shared/printable.ts'

/** What no terminal may get from others: the controls of ECMA-48, and what has no width or changes the order of text. */
const STEERING = [
  ...[
    [0, 0x1f],
    [0x7f, 0x9f],
    [0x61c, 0x61c],
    [0x200b, 0x200b],
    [0x200e, 0x200f],
    [0x2028, 0x202e],
    [0x2060, 0x206f],
  ],
  ...[
    [0xfeff, 0xfeff],
    [0xfff9, 0xfffb],
    [0xe0000, 0xe007f],
  ],
]

describe('text of others', () => {
  it.each([
    ['colours', '\u001b[31mred\u001b[0m', '\\u{1b}[31mred\\u{1b}[0m'],
    ['a title for the window', '\u001b]0;owned\u0007', '\\u{1b}]0;owned\\u{7}'],
    ['an address behind a word (OSC 8)', '\u001b]8;;http://a\u001b\\b', '\\u{1b}]8;;http://a\\u{1b}\\b'],
    ['controls of one byte', 'a\u009b2Jb\u0085c', 'a\\u{9b}2Jb\\u{85}c'],
    ['a carriage that returns', 'good\rbad', 'good\\u{d}bad'],
    ['breaks and tabs', 'a\nb\tc', 'a\\u{a}b\\u{9}c'],
    ['letters that are taken back', 'ab\b\u007f', 'ab\\u{8}\\u{7f}'],
    ['another order', 'a\u202egpj.exe', 'a\\u{202e}gpj.exe'],
    [
      'isolates and marks',
      '\u2066a\u2069\u200e\u200f\u061c',
      '\\u{2066}a\\u{2069}\\u{200e}\\u{200f}\\u{61c}',
    ],
    ['what has no width', 'a\u200bb\u2060c\ufeffd\u00ade', 'a\\u{200b}b\\u{2060}c\\u{feff}d\\u{ad}e'],
    ['joiners in Latin names', 'pay\u200dpal\u200c.wav', 'pay\\u{200d}pal\\u{200c}.wav'],
    ['tags', 'a\u{e0041}b', 'a\\u{e0041}b'],
    ['letters that are blank', 'a\u3164b', 'a\\u{3164}b'],
    ['half a letter', 'a\ud800b', 'a\\u{d800}b'],
  ])('is shown where it has %s', (_, text, shown) => {
    expect(printable(text)).toBe(shown)
    expect(printable(shown)).toBe(shown)
  })

  it.each([
    ['Persian', '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.wav'],
    ['Hindi', '\u0915\u094d\u200d\u0937'],
    ['Hebrew and Arabic', '\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627'],
    ['a family of emoji', '\u{1f468}\u200d\u{1f469}\u{1f3fd}\u200d\u{1f467}'],
    ['accents that combine', 'e\u0301 \u1112\u1161\u11ab'],
    ['a path', 'C:\\new\\text \u2013 \u00fcber/\u6771\u4eac.wav'],
  ])('stays as it is: %s', (_, text) => {
    expect(printable(text)).toBe(text)
    expect(printableSpeech(text)).toBe(text)
  })

  it('keeps the marks of Hebrew and Arabic in speech, and shows what changes the order of letters', () => {
    const marked = '\u05e9\u05dc\u05d5\u05dd!\u200f \u061c\u0645 \u200ea'
    expect(printableSpeech(marked)).toBe(marked)
    expect(printableSpeech('a\u202eb\u2066c')).toBe('a\\u{202e}b\\u{2066}c')
  })

  it('holds nothing that steers, whatever it is', () => {
    for (const [first = 0, last = 0] of STEERING) {
      for (let code = first; code <= last; code++) {
        const shown = `a\\u{${code.toString(16)}}b`
        expect(printable(`a${String.fromCodePoint(code)}b`)).toBe(shown)
      }
    }
  })

  it('of several lines cannot pass for a line of ours', () => {
    expect(printableLines('broke:\nhint: run\tthis\r\n\u001b[2J')).toEqual([
      'broke:',
      '  hint: run  this',
      '  \\u{1b}[2J',
    ])
  })

  it('that was spoken is one line; its controls are shown, also where it comes in parts', () => {
    const parts = ['one\r\ntwo', '\u2028\u001b[3', '1mthree\u202e\t', '\u200c\u0627']
    expect(printableSpeech('กิน\u200bข้าว hy\u00adphen')).toBe('กินข้าว hyphen') // places to break a line
    expect(parts.map(printableSpeech).join('')).toBe('one two \\u{1b}[31mthree\\u{202e} \u200c\u0627')
  })
})

describe('what commands write', () => {
  afterEach(() => vi.restoreAllMocks())

  const NAME = 'a\u001b]0;owned\u0007\u202e\nhint: b'
  const SHOWN = 'a\\u{1b}]0;owned\\u{7}\\u{202e}\\u{a}hint: b'
  const written = (stream: NodeJS.WriteStream) => {
    const texts: string[] = []
    vi.spyOn(stream, 'write').mockImplementation((text) => texts.push(String(text)) > 0)
    return texts
  }

  it('is safe whatever an event holds, and tables stay straight', () => {
    const texts = written(process.stdout)
    const { emit } = plainReporter()
    emit({ event: 'note', text: NAME })
    emit({ event: 'start', model: NAME, output: NAME, stages: [] })
    emit({
      event: 'table',
      title: NAME,
      columns: ['name', 'n'],
      rows: [
        [NAME, '1'],
        ['short', '12'],
      ],
    })
    emit({ event: 'done', seconds: 1, release: NAME })
    emit({ event: 'failure', message: NAME, hint: NAME, exitCode: 1 })
    expect(texts.join('').split('\n')).toEqual([
      ...[`  ${SHOWN}`, `${SHOWN} -> ${SHOWN}`, '', SHOWN],
      ...[`  name${' '.repeat(SHOWN.length - 4)}   n`, `  ${'-'.repeat(SHOWN.length)}  --`],
      ...[`  ${SHOWN}   1`, `  short${' '.repeat(SHOWN.length - 5)}  12`, '', `Done in 1.0 s. ${SHOWN}`],
      ...['error: a\\u{1b}]0;owned\\u{7}\\u{202e}', '  hint: b', `hint: ${SHOWN}`, ''],
    ])
  })

  it('is JSON, with --json', () => {
    const texts = written(process.stdout)
    jsonReporter().emit({ event: 'note', text: NAME })
    expect(texts).toEqual(['{"event":"note","text":"a\\u001b]0;owned\\u0007\\u202e\\nhint: b"}\n'])
  })

  it('is safe where an evaluation reports how far it is', () => {
    const texts = written(process.stderr)
    const progress = makeProgress(false)
    progress.note(NAME)
    progress.begin(NAME, 0)
    progress.close()
    expect(texts).toEqual([`${SHOWN}\n`, `${SHOWN}: 0 of 0 · in 0.0 s\n`])
  })

  it('goes through few modules, which make it safe', async () => {
    const folder = join(PROJECT, 'pipeline')
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))
    const writing = await Promise.all(
      files.map(async (name) =>
        /\bconsole\.|std(?:out|err)\.write|\.question\(/.test(await readFile(join(folder, name), 'utf8'))
          ? [name]
          : [],
      ),
    )
    // help; lines that are written over; our own sentences; transcripts and words
    const others = [
      'commands/arguments.ts',
      'graph/progress-line.ts',
      'shared/interruption.ts',
      'commands/transcribe-command.ts',
      'commands/align-command.ts',
      'publish/run-publish.ts',
    ]
    const examples = ['release/card-asr.ts', 'release/card-aligner.ts'] // programs on cards
    expect(writing.flat().sort()).toEqual(['commands/reporter.ts', ...others, ...examples].sort())
  })
})
