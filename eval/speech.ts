import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SpeechError } from './speech-error.ts'

/** One recording with its reference transcript. */
export interface Utterance {
  readonly id: string
  readonly path: string
  readonly text: string
}

/**
 * Read a folder of recordings: manifest.jsonl, one object a line with `file` and `text` (and `id`).
 * Lines whose text is null have no reference and are left out.
 * @throws SpeechError naming the line that is malformed
 */
export async function readSpeechFolder(folder: string): Promise<Utterance[]> {
  const path = join(folder, 'manifest.jsonl')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new SpeechError(
      `${folder} holds no manifest.jsonl.`,
      'One JSON object a line: {"file": "a.flac", "text": "..."}',
    )
  })
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const utterances = lines.flatMap((line, index) => readLine(line, `${path}, line ${index + 1}`, folder))
  if (utterances.length === 0) throw new SpeechError(`${path} lists no utterance with a transcript.`)
  return utterances
}

function readLine(line: string, where: string, folder: string): Utterance[] {
  let entry: { id?: unknown; file?: unknown; text?: unknown }
  try {
    entry = JSON.parse(line)
  } catch {
    throw new SpeechError(`${where} is no JSON.`)
  }
  if (entry.text === null) return []
  if (typeof entry.file !== 'string' || typeof entry.text !== 'string') {
    throw new SpeechError(`${where} has no "file" and "text".`)
  }
  return [{ id: String(entry.id ?? entry.file), path: join(folder, entry.file), text: entry.text }]
}
