// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { parseEvaluate } from '../../pipeline/commands/evaluate-options.ts'
import { EXIT } from '../../pipeline/shared/failure.ts'

const parse = (...args: readonly string[]) =>
  parseEvaluate([...args, '--datasets', 'clips', '--hotwords', 'a.tsv'])

describe('evaluate --hotwords', () => {
  it('names a file of lists', async () => {
    expect(await parse('--models', 'a:b')).toMatchObject({ hotwords: 'a.tsv', models: [{ name: 'a' }] })
    expect(await parseEvaluate(['--models', 'a:b', '--datasets', 'clips'])).not.toHaveProperty('hotwords')
  })

  it.each([
    [
      'a context for all',
      ['--models', 'a:b', '--context', 'Anna'],
      'Found --hotwords with --context, wanted one of them.',
    ],
    [
      'engines alone',
      ['--engine', 'a:b {wav}'],
      'Found --hotwords without --models: commands of other engines take no lists.',
    ],
    [
      'a system that is named as the one with lists',
      ['--models', 'a:b', '--engine', 'a + hotwords:b {wav}'],
      'Two systems are named a + hotwords, wanted names of their own.',
    ],
  ])('is refused with %s', async (_, args, message) => {
    await expect(parse(...args)).rejects.toMatchObject({ message, exitCode: EXIT.usage })
  })
})
