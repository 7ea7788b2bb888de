import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { parse } from 'csv-parse/sync'
import { mapFiles } from '../concurrency.ts'
import { SpeechError } from '../speech-error.ts'
import { chooseRows } from './choose.ts'
import type { Dataset, Selection, Utterance } from './utterance.ts'

/** A line of a manifest. */
interface Entry {
  readonly id: string
  readonly path: string
  readonly text: string
  readonly speaker?: string
}

/** What others call the file of a recording (NeMo, Common Voice, LJ Speech), and its transcript. */
const FILE_KEYS = ['file', 'path', 'audio', 'audio_filepath', 'audio_path', 'file_name', 'wav']
const TEXT_KEYS = ['text', 'sentence', 'transcription', 'transcript', 'reference']
const SPEAKER_KEYS = ['speaker', 'speaker_id', 'client_id']
const AUDIO = new Set(['.flac', '.wav', '.mp3', '.ogg', '.opus', '.m4a', '.aac', '.aiff', '.webm', '.mp4'])

/**
 * A folder of recordings: manifest.jsonl (one object a line), manifest.csv (with a header) or NAME.txt beside each
 * NAME.wav. Recordings whose text is null or empty in the manifest have no reference and are left out.
 * @throws SpeechError when there is none of these, or a line is malformed
 */
export async function folderDataset(folder: string, selection: Selection): Promise<Dataset> {
  const entries = await readEntries(folder)
  const rows = chooseRows(new Array<number>(entries.length).fill(1), selection)
  const picked = rows.flatMap((row) => entries.slice(row, row + 1).map((entry) => ({ entry, row })))
  const chosen = await mapFiles(picked, ({ entry, row }) => identified(entry, row))
  refuseAllMissing(folder, chosen)
  const paths = new Map(chosen.map(({ key, path }) => [key, path]))
  return {
    name: basename(resolve(folder)) || folder,
    source: { kind: 'folder' },
    isEnglish: false,
    count: chosen.length,
    of: entries.length,
    download: 0,
    keys: chosen.map(({ key }) => key),
    audioPath: (key) => paths.get(key),
    async *utterances(isWanted, signal) {
      for (const utterance of chosen) {
        signal.throwIfAborted()
        if (isWanted(utterance.key)) yield utterance
      }
    },
  }
}

/** All recordings of a folder with their references. */
export async function readSpeechFolder(folder: string): Promise<Utterance[]> {
  const entries = await readEntries(folder)
  return mapFiles([...entries.entries()], ([row, entry]) => identified(entry, row))
}

async function readEntries(folder: string): Promise<Entry[]> {
  const names: string[] = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    const problem = error.code === 'ENOTDIR' ? 'is no folder' : 'does not exist'
    throw new SpeechError(`${folder} ${problem}.`, 'Give a folder of recordings, or a dataset by name.')
  })
  const entries = names.includes('manifest.jsonl')
    ? await readJsonLines(folder)
    : names.includes('manifest.csv')
      ? await readCsv(folder)
      : await readTextFiles(folder, names)
  const ids = new Set<string>()
  for (const { id } of entries) {
    if (ids.has(id))
      throw new SpeechError(`${folder} lists ${id} twice.`, 'Give each recording an "id" of its own.')
    ids.add(id)
  }
  if (entries.length > 0) return entries
  throw new SpeechError(
    `${folder} lists no recording with a transcript.`,
    'It needs manifest.jsonl ({"file": "a.flac", "text": "..."} a line), manifest.csv (file,text), or a.txt beside a.flac.',
  )
}

async function readJsonLines(folder: string): Promise<Entry[]> {
  const path = join(folder, 'manifest.jsonl')
  const lines = (await readFile(path, 'utf8')).replace(/^\ufeff/, '').split('\n')
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return []
    const where = `${path}, line ${index + 1}`
    try {
      return readEntry(JSON.parse(line), where, folder)
    } catch (error) {
      if (error instanceof SyntaxError) throw new SpeechError(`${where} is no JSON.`)
      throw error
    }
  })
}

async function readCsv(folder: string): Promise<Entry[]> {
  const path = join(folder, 'manifest.csv')
  const text = await readFile(path, 'utf8')
  try {
    const rows: Record<string, string>[] = parse(text, {
      columns: true,
      bom: true,
      skip_empty_lines: true,
      trim: true,
    })
    return rows.flatMap((row, index) => readEntry(row, `${path}, row ${index + 1}`, folder))
  } catch (error) {
    if (error instanceof SpeechError) throw error
    throw new SpeechError(`${path}: ${(error as Error).message}`)
  }
}

function readEntry(entry: unknown, where: string, folder: string): Entry[] {
  const values = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : {}
  const pick = (keys: readonly string[]) =>
    keys.map((key) => values[key]).find((value) => value !== undefined)
  const [file, text, speaker] = [FILE_KEYS, TEXT_KEYS, SPEAKER_KEYS].map(pick)
  if (text === null || text === '') return []
  if (typeof file !== 'string' || typeof text !== 'string') {
    throw new SpeechError(`${where} has no "file" and "text".`)
  }
  const id = String(values['id'] ?? values['utterance_id'] ?? file)
  return [
    {
      id,
      path: resolve(folder, file),
      text,
      ...(speaker !== undefined && speaker !== null && { speaker: String(speaker) }),
    },
  ]
}

async function readTextFiles(folder: string, names: readonly string[]): Promise<Entry[]> {
  const audio = names.filter((name) => AUDIO.has(extname(name).toLowerCase())).sort()
  const entries = await mapFiles(audio, async (name): Promise<Entry[]> => {
    const bytes = await readIfThere(join(folder, `${name.slice(0, -extname(name).length)}.txt`))
    const text = bytes?.toString('utf8').trim() ?? ''
    return text === '' ? [] : [{ id: name, path: join(folder, name), text }]
  })
  return entries.flat()
}

/** The key holds audio and reference: with either changed it is another utterance. */
async function identified(entry: Entry, row: number): Promise<Utterance> {
  const bytes = await readIfThere(entry.path)
  const hash = (content: Uint8Array | string) =>
    createHash('sha256').update(content).digest('hex').slice(0, 24)
  const key = `${entry.id} ${bytes ? hash(bytes) : 'missing'} ${hash(entry.text)}`
  return bytes
    ? { ...entry, row, key }
    : { ...entry, row, key, path: undefined, problem: `${entry.path} does not exist.` }
}

function refuseAllMissing(folder: string, utterances: readonly Utterance[]): void {
  const [first] = utterances
  if (!first || utterances.some(({ path }) => path !== undefined)) return
  throw new SpeechError(
    `None of the ${utterances.length} recordings that ${folder} lists is there: ${first.problem}`,
    'Paths in a manifest are relative to its folder, or absolute.',
  )
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
