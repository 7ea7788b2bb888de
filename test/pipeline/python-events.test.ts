// SPDX-License-Identifier: Apache-2.0

import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { section, text } from '../../eval/runtime/schema.ts'
import { checkedResult, runPython } from '../../pipeline/python/run-python.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/** Run "a script" that prints these lines and ends with a code. */
async function run(lines: readonly string[], end = 'exit 0') {
  const folder = await temporaryFolder()
  const [python, log] = [join(folder, 'python'), join(folder, 'log')]
  await writeFile(python, `#!/bin/sh\ncat <<'END'\n${lines.join('\n')}\nEND\necho went wrong >&2\n${end}\n`)
  await chmod(python, 0o755)
  const progress: unknown[] = []
  const signal = new AbortController().signal
  const onProgress = (event: unknown) => progress.push(event)
  return { progress, log, result: runPython('a.py', [], { python, log, signal, onProgress }) }
}

const RESULT = '{"event": "result", "folder": "x"}'

describe('what a script of Python writes', () => {
  it('is progress, and a result that its caller checks', async () => {
    const event = { event: 'progress', what: 'Export', done: 1, total: 2, unit: 'graphs' }
    const { progress, result } = await run([JSON.stringify(event), RESULT])
    const found = await result
    expect(progress).toEqual([event])
    expect(checkedResult(section({ folder: text }), found, 'a.py')).toMatchObject({ folder: 'x' })
    expect(() => checkedResult(section({ commit: text }), found, 'a.py')).toThrow(
      'The result of python/a.py: commit is missing, wanted a string.',
    )
  })

  it.each([
    ['prose', 'Loading weights', 'is not valid JSON.'],
    ['a number', '7', 'holds 7, wanted an object.'],
    ['another event', '{"event": "log"}', 'event is "log", wanted "progress", "note", "result" or "error".'],
    ['an error without a hint', '{"event": "error", "message": "No."}', 'hint is missing, wanted a string.'],
    [
      'progress that is text',
      '{"event": "progress", "what": "a", "done": "1", "total": 2, "unit": "b"}',
      'done is "1", wanted a number.',
    ],
  ])('is refused when it is %s', async (_, line, message) => {
    const { log, result } = await run([line, RESULT])
    await expect(result).rejects.toMatchObject({
      message: expect.stringContaining(message),
      hint: `It is a fault of that script; the whole of its stderr is in ${log}.`,
    })
    await expect(result).rejects.toThrow(/^What python\/a\.py writes/)
  })

  it('does not hide why the script ended', async () => {
    const half = '{"event": "resu'
    await expect((await run([half], 'exit 3')).result).rejects.toThrow(
      'python/a.py ended with exit code 3:\nwent wrong',
    )
    await expect((await run([half], 'kill -KILL $$')).result).rejects.toThrow(
      'python/a.py was killed, most likely',
    )
    const said = '{"event": "error", "message": "The disk is full.", "hint": "Free space."}'
    const { result } = await run(['prose', said], 'exit 1')
    await expect(result).rejects.toMatchObject({ message: 'The disk is full.', hint: 'Free space.' })
  })
})
