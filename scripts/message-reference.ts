// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT } from '../eval/runtime/project.ts'
import { errorTexts } from './error-texts.ts'

/* docs/messages.md: every sentence that an error can have, with its hint, from the sources. */

/** A sentence of an error; `…` stands for what differs. */
export interface Message {
  readonly text: string
  /** what to do next; empty where it depends */
  readonly hint: string
}

/** Which part of the sources a message comes from, and what it is about; the first that fits. */
const TOPICS: readonly (readonly [topic: string, folders: readonly string[]])[] = [
  ['Wrong usage', ['pipeline/commands', 'scripts']],
  ['Recordings', ['eval/runtime/audio', 'eval/runtime/plain-file.ts', 'pipeline/transcribe']],
  ['Aligning', ['eval/runtime/aligner', 'eval/runtime/qwen3-aligner.ts', 'pipeline/alignment']],
  ['JSON files', ['eval/checked-json.ts', 'eval/runtime/json-file.ts', 'eval/runtime/schema.ts']],
  ['Loading a release', ['eval/runtime']],
  ['Datasets', ['eval/dataset', 'eval/text-file.ts', 'eval/csv.ts', 'eval/word-places.ts']],
  ['The page', ['eval/page', 'pipeline/page']],
  ['Evaluating', ['pipeline/evaluate', 'eval']],
  ['Checkpoints', ['pipeline/checkpoint']],
  ['Python and the export', ['pipeline/python', 'python/export', 'python/tiny', 'python/bench']],
  ['Quantizing', ['pipeline/quantize', 'pipeline/lab', 'python/quantize', 'pipeline/recipes.ts']],
  ['Providers', ['pipeline/providers']],
  ['Gates, packages and verification', ['pipeline/release', 'pipeline/gates', 'pipeline/stages']],
  ['The hub and publishing', ['pipeline/publish', 'pipeline/hub', 'python/download.py']],
  ['Graph tools', ['graph-tools', 'pipeline/graph']],
  ['Folders, disks and other runs', ['pipeline/shared', 'pipeline', 'python']],
]

const ROOMS = ['eval', 'graph-tools', 'pipeline', 'python', 'scripts']
const SOURCE = /\.(?:ts|py)$/

/** All messages by topic. @throws Error for a source of no topic, which needs a row */
export function messagesByTopic(): Map<string, Message[]> {
  const found = new Map<string, Message[]>(TOPICS.map(([topic]) => [topic, []]))
  for (const room of ROOMS) {
    const names = readdirSync(join(PROJECT, room), { recursive: true, encoding: 'utf8' })
    for (const path of names
      .filter((name) => SOURCE.test(name))
      .map((name) => `${room}/${name}`)
      .sort()) {
      const messages = errorTexts(readFileSync(join(PROJECT, path), 'utf8'), path.endsWith('.py'))
      if (messages.length > 0) add(found.get(topicOf(path)) ?? [], messages)
    }
  }
  return found
}

/** What a browser runs in place of a module for Node. */
const OF_BROWSERS = '.web.ts'

function topicOf(path: string): string {
  if (path.endsWith(OF_BROWSERS)) return 'The page'
  const isIn = (folder: string) => path === folder || path.startsWith(`${folder}/`)
  const [topic] = TOPICS.find(([, folders]) => folders.some(isIn)) ?? []
  if (topic === undefined)
    throw new Error(`The errors of ${path} have no topic in scripts/message-reference.ts.`)
  return topic
}

function add(all: Message[], more: readonly Message[]): void {
  for (const message of more) if (!all.some(({ text }) => text === message.text)) all.push(message)
}

/** docs/messages.md. */
export function messagesPage(): string {
  const sections = [...messagesByTopic()].map(
    ([topic, messages]) => `## ${topic}\n\n${messages.map(itemOf).join('\n')}`,
  )
  return `# All messages

\`npm run schemas\` makes this page from the sources; do not edit it. Every sentence of an error is here, with the hint
that follows it. \`…\` stands for what differs: a name, a number, or a part of a sentence. Search the page for a few words of
your message. [Troubleshoot](troubleshoot.md) explains the frequent ones.

${sections.join('\n\n')}
`
}

function itemOf({ text, hint }: Message): string {
  return `- ${codeOf(text)}${hint === '' ? '' : `<br>hint: ${codeOf(hint)}`}`
}

function codeOf(text: string): string {
  return `\`${text.replaceAll('`', "'").replaceAll('\n', ' ')}\``
}
