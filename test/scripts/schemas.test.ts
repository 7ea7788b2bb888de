// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { withReference } from '../../scripts/command-reference.ts'
import { schemaFiles } from '../../scripts/json-schema.ts'
import { tinyConfig } from '../helpers/config.ts'
import { publishedValidator } from '../helpers/published-schema.ts'

describe('the published schemas', () => {
  const files = [...schemaFiles()]

  it.each(files)('%s is up to date: npm run schemas', async (path, text) => {
    expect(await readFile(join(PROJECT, path), 'utf8')).toBe(text)
  })

  it('come with a reference of commands that is up to date: npm run schemas', async () => {
    const page = await readFile(join(PROJECT, 'docs', 'commands.md'), 'utf8')
    expect(withReference(page)).toBe(page)
  })

  it.each(files.filter(([path]) => path.endsWith('.md')))('%s gives every key a meaning', (_, text) => {
    const rows = text.split('\n').filter((line) => line.startsWith('| `'))
    expect(rows.length).toBeGreaterThan(50)
    for (const row of rows)
      expect(row).toMatch(/^\| `[\w.[\]*]+` \| (?:\\\||[^|])+ \| (yes|no) (\| (reads it)? )?\| .*[.] \|$/)
  })

  it('take what the exporter writes, and name what they do not take', async () => {
    const validate = await publishedValidator('config')
    const config = await tinyConfig()
    expect(validate(config)).toEqual([])
    const { mel, ...rest } = config
    const wrong = { ...rest, embed_tokens_shape: [448, 128, 1], mel: { ...mel, n_fft: 512 }, more: 1 }
    expect(validate(wrong)).toEqual([
      '/mel/n_fft must be <= 400',
      '/embed_tokens_shape must NOT have more than 2 items',
    ])
    expect(validate(rest)).toEqual([" must have required property 'mel'"])
    expect((await publishedValidator('manifest'))([])).toEqual([' must be object'])
  })
})
