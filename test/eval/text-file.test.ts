// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { readLines, readText } from '../../eval/text-file.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const TEXT = 'Schließe die Tür.\nYes – 你好 👋\nend'

async function file(bytes: string | Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'text.txt')
  await writeFile(path, bytes)
  return path
}

async function linesOf(bytes: string | Uint8Array): Promise<string[]> {
  const lines: string[] = []
  for await (const { text, number } of readLines(await file(bytes))) {
    lines.push(text)
    expect(number).toBe(lines.length)
  }
  return lines
}

const bigEndian = (text: string) => Buffer.from(text, 'utf16le').swap16()

describe('readText', () => {
  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${TEXT}`)],
    ['UTF-16, little-endian with a mark', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
    ['UTF-16, big-endian with a mark', bigEndian(`\ufeff${TEXT}`)],
  ])('reads %s', async (_name, bytes) => {
    expect(await readText(await file(bytes))).toBe(TEXT)
    expect(await linesOf(bytes)).toEqual(TEXT.split('\n'))
  })

  it.each([
    ['Latin-1', Buffer.from('eins\nzwei\nTür\nvier', 'latin1'), 'line 3 is not valid UTF-8.'],
    ['Latin-1 in the last line', Buffer.from('eins\nTür', 'latin1'), 'line 2 is not valid UTF-8.'],
    ['Latin-1 with CR', Buffer.from('eins\rzwei\rTür\rvier', 'latin1'), 'line 3 is not valid UTF-8.'],
    ['Latin-1 with CRLF', Buffer.from('eins\r\nTür\r\nvier', 'latin1'), 'line 2 is not valid UTF-8.'],
    ['a character cut at the end', Buffer.from('eins\nü').subarray(0, 6), 'line 2 is not valid UTF-8.'],
    ['UTF-16 without a mark', Buffer.from('eins\nzwei', 'utf16le'), 'line 1 holds a NUL character'],
    ['big-endian UTF-16 without a mark', bigEndian('eins'), 'line 1 holds a NUL character'],
    ['half a surrogate pair', Buffer.from('\ufeffa\ud800', 'utf16le'), ' is not valid UTF-16'],
  ])('refuses %s by file and line', async (_name, bytes, message) => {
    const path = await file(bytes)
    const failed = expect(readText(path)).rejects
    await failed.toThrow(path)
    await failed.toThrow(message)
    await failed.toMatchObject({ name: 'SpeechError', hint: expect.stringContaining('UTF-8') })
  })

  it('finds the line beyond the first megabyte, where a character lies across two reads', async () => {
    const good = 'ü'.repeat(999)
    const lines = Array.from({ length: 2000 }, () => good)
    expect(await linesOf(`x${lines.join('\n')}`)).toEqual([`x${good}`, ...lines.slice(1)])
    const bad = Buffer.concat([Buffer.from(`x${lines.join('\n')}\n`), Buffer.from([0xfc])])
    await expect(readText(await file(bad))).rejects.toThrow('line 2001 is not valid UTF-8.')
  })

  it('refuses a folder and a pipe without waiting', async () => {
    const folder = await temporaryFolder()
    await expect(readText(folder)).rejects.toThrow(`${folder} is a directory, not a file.`)
    await execa('mkfifo', [join(folder, 'pipe')])
    await expect(readText(join(folder, 'pipe'))).rejects.toThrow('pipe is a FIFO, not a file.')
    await expect(readText(join(folder, 'none'))).rejects.toThrow('none does not exist.')
  })
})

describe('readLines', () => {
  it.each([
    ['LF', 'a\nb\n\nc\n', ['a', 'b', '', 'c']],
    ['CRLF', 'a\r\nb\r\n\r\nc', ['a', 'b', '', 'c']],
    ['CR', 'a\rb\r\rc\r', ['a', 'b', '', 'c']],
    ['nothing', '', []],
    ['separators of Unicode, which end no line', 'a\u2028b\u0085c', ['a\u2028b\u0085c']],
  ])('ends lines at %s', async (_name, text, wanted) => {
    expect(await linesOf(text)).toEqual(wanted)
  })

  it('takes a CRLF across two reads for one end', async () => {
    expect(await linesOf(`${'a'.repeat((1 << 20) - 1)}\r\nb`)).toEqual(['a'.repeat((1 << 20) - 1), 'b'])
  })
})
