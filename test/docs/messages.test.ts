// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { errorTexts } from '../../scripts/error-texts.ts'
import { messagesByTopic, messagesPage } from '../../scripts/message-reference.ts'

/* What the documentation says of errors is what the sources say. */

const topics = messagesByTopic()
const troubleshoot = await readFile(join(PROJECT, 'docs', 'troubleshoot.md'), 'utf8')

function sectionOf(topic: string): string {
  return troubleshoot.split('\n## ').find((section) => section.startsWith(`${topic}\n`)) ?? ''
}

/** Sentences that begin an item of a list. */
function quotedIn(section: string): string[] {
  return Array.from(section.matchAll(/^- `([^`]+)`/gm), ([, text = '']) => text)
}

describe('docs/messages.md', () => {
  it('has every message of the sources: npm run schemas', async () => {
    expect(await readFile(join(PROJECT, 'docs', 'messages.md'), 'utf8')).toBe(messagesPage())
    expect([...topics.values()].flat().length).toBeGreaterThan(500)
  })

  it('reads messages as they are written', () => {
    const value = (expression: string) => `\${${expression}}`
    const code = [
      `throw new Failure(\`${value('path')} is ${value('kind')}, wanted a file.\`, 'Download it again.')`,
      `throw usage('One sentence, ' + \`with ${value("{ a: '}' }.a")} parts.\`)`,
      `throw new SpeechError(isOld ? 'It is old.' : \`It is ${value('age')} old.\`)`,
      'const fail = (text: string) => new GraphError(text)',
    ].join('\n')
    expect(errorTexts(code, false)).toEqual([
      { text: '… is …, wanted a file.', hint: 'Download it again.' },
      { text: 'One sentence, with … parts.', hint: '' },
      { text: 'It is old.', hint: '' },
      { text: 'It is … old.', hint: '' },
    ])
    const python = 'raise UserError(f"{name} has {count(1)} rows, "\n    "wanted one.", hint="Leave it out.")'
    expect(errorTexts(python, true)).toEqual([{ text: '… has … rows, wanted one.', hint: 'Leave it out.' }])
  })
})

describe('docs/troubleshoot.md', () => {
  it.each([...topics.keys()])('explains messages of: %s', (topic) => {
    const known = topics.get(topic)?.map(({ text }) => text) ?? []
    const quoted = quotedIn(sectionOf(topic))
    expect(quoted.filter((text) => !known.includes(text))).toEqual([])
    expect(quoted.length).toBeGreaterThanOrEqual(Math.min(known.length, 2))
  })

  it('has no section of messages that do not exist', () => {
    const sections = Array.from(troubleshoot.matchAll(/^## (.*)$/gm), ([, title = '']) => title)
    expect(sections.sort()).toEqual([...topics.keys()].sort())
  })
})
