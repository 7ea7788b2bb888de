// SPDX-License-Identifier: Apache-2.0

import { createHash, randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { readOwn } from '../checked-json.ts'
import { mapFiles } from '../concurrency.ts'
import { isBlank } from '../normalize/comparable.ts'
import { defined } from '../runtime/defined.ts'
import { list, type Parsed, shape, text } from '../runtime/schema.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { chooseRows, startsOf } from './choose.ts'
import type { ColumnOptions } from './columns.ts'
import { type Columns, findParquetColumns } from './parquet-columns.ts'
import { chunksOfGroup, type ParquetFile, rowsOfGroup } from './parquet-file.ts'
import { blankRows, bytesOfGroup, namesOf, readGroup } from './parquet-rows.ts'
import type { Dataset, Selection } from './utterance.ts'

/** What parquet files are as a dataset, and which of their rows are utterances. */
export interface ParquetDatasetOptions
  extends ColumnOptions,
    Pick<Dataset, 'name' | 'language' | 'normalizer' | 'source'> {
  /** a folder for the audio of exactly these files at this revision */
  readonly cache: string
  /** the files are here: reading them is not a download */
  readonly isLocal?: boolean
  readonly selection: Selection
  readonly keepEmpty?: boolean
}

/** A row group with the rows that were chosen of it. */
interface ChosenGroup {
  readonly file: ParquetFile
  readonly group: number
  readonly columns: Columns
  /** within the group */
  readonly rows: readonly number[]
  /** number of the group's first row in the dataset */
  readonly firstRow: number
  /** in the cache */
  readonly folder: string
  /** of the group's contents */
  readonly identity: string
}

/** What the cache keeps of a row beside its audio, which is in the file ROW.audio. */
const CACHED_ROWS = list(
  shape({ id: text, text, speaker: v.exactOptional(text), problem: v.exactOptional(text) }),
)
type CachedRow = Parsed<typeof CACHED_ROWS>[number]

const INDEX = 'utterances.json'
const HASH_BYTES = 1 << 23

/**
 * A dataset in parquet files. A row group is read when its first row is asked for, the next one at the same time;
 * its audio stays in the cache.
 * @throws SpeechError when a column is missing, or there are no rows
 */
export async function parquetDataset(
  files: readonly ParquetFile[],
  options: ParquetDatasetOptions,
): Promise<Dataset> {
  const columns = files.map((file) => findParquetColumns(file, options))
  requireAudio(files, columns)
  const sizes = files.flatMap((file) => file.metadata.row_groups.map((_, group) => rowsOfGroup(file, group)))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (total === 0) throw new SpeechError(`${files.map(({ name }) => name).join(', ')} holds no rows.`)
  const all = await mapFiles(groupsOf(files, columns, sizes, options), (group) => identified(group, options))
  const chosen = options.keepEmpty ? all : await mapFiles(all, withReferences)
  const count = countRows(chosen)
  const leftOut = countRows(all) - count
  const paths = new Map(
    chosen.flatMap((group) =>
      group.rows.map((row) => [keyOf(group, row), audioPath(group.folder, row)] as const),
    ),
  )
  let download = 0
  for (const { file, group, columns, ...place } of chosen) {
    if (!options.isLocal && !(await cachedRows({ file, group, folder: place.folder })))
      download += bytesOfGroup(file, group, columns)
  }
  return {
    ...defined({ name: options.name, language: options.language, normalizer: options.normalizer }),
    source: { ...options.source, ...columnsSaid(columns) },
    keys: [...paths.keys()],
    audioPath: (key) => paths.get(key),
    ...{ count, of: total, leftOut, download },
    async *utterances(isWanted, signal) {
      const wanted = chosen
        .map((group) => ({ ...group, rows: group.rows.filter((row) => isWanted(keyOf(group, row))) }))
        .filter(({ rows }) => rows.length > 0)
      for await (const { group, row, entry } of readInTurn(wanted)) {
        signal.throwIfAborted()
        const path = entry.problem === undefined ? audioPath(group.folder, row) : undefined
        yield { ...entry, row: group.firstRow + row, key: keyOf(group, row), path }
      }
    },
  }
}

/** The groups with rows that were chosen. */
function groupsOf(
  files: readonly ParquetFile[],
  columns: readonly Columns[],
  sizes: readonly number[],
  { selection, cache }: ParquetDatasetOptions,
): ChosenGroup[] {
  const rows = chooseRows(sizes, selection)
  const firstRows = startsOf(sizes)
  const groups = files.flatMap((file, i) =>
    file.metadata.row_groups.map((_, group) => ({ file, group, columns: columns[i] as Columns })),
  )
  return groups.flatMap(({ file, group, columns }, i): ChosenGroup[] => {
    const [firstRow, size] = [firstRows[i] ?? 0, sizes[i] ?? 0]
    const inside = rows.filter((row) => row >= firstRow && row < firstRow + size).map((row) => row - firstRow)
    if (inside.length === 0) return []
    const named = columnsName(columns)
    const folder = join(cache, named, `${file.name.replaceAll('/', '--')}.${group}`)
    const identity = `${named} ${file.name} ${group}`
    return [{ ...{ file, group, columns, rows: inside, firstRow, folder, identity } }]
  })
}

/** Files on the hub are known by their revision, files here by what is in them, as far as it is read. */
async function identified(
  group: ChosenGroup,
  { isLocal, cache, source }: ParquetDatasetOptions,
): Promise<ChosenGroup> {
  if (!isLocal) return { ...group, identity: `${source['revision']} ${group.identity}` }
  const { file, columns } = group
  const hash = createHash('sha256')
  for (const chunk of chunksOfGroup(file, group.group, namesOf(columns))) {
    const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset)
    const end = start + Number(chunk.total_compressed_size)
    for (let at = start; at < end; at += HASH_BYTES)
      hash.update(new Uint8Array(await file.buffer.slice(at, Math.min(end, at + HASH_BYTES))))
  }
  // Groups of one file may be equal.
  const digest = `${hash.digest('hex').slice(0, 24)}.${group.firstRow}`
  const named = columnsName(columns)
  return { ...group, folder: join(cache, named, digest), identity: `${digest} ${named}` }
}

/** The group without rows that have no reference. */
async function withReferences(group: ChosenGroup): Promise<ChosenGroup> {
  const cached = await cachedRows(group)
  const blank = cached
    ? new Set(cached.flatMap(({ text, problem }, row) => (isBlank(text) && !problem ? [row] : [])))
    : await blankRows(group.file, group.group, group.columns)
  return { ...group, rows: group.rows.filter((row) => !blank.has(row)) }
}

/** Other columns make other utterances. */
function columnsName({ audio, text, textFields }: Columns): string {
  return `${audio}+${[text, ...textFields].join('.')}`
}

function keyOf({ identity }: ChosenGroup, row: number): string {
  return `${identity} ${row}`
}

function countRows(groups: readonly ChosenGroup[]): number {
  return groups.reduce((sum, { rows }) => sum + rows.length, 0)
}

function columnsSaid([first]: readonly Columns[]): Record<string, string> {
  return first ? { audio_column: first.audio, text_column: [first.text, ...first.textFields].join('.') } : {}
}

function requireAudio(files: readonly ParquetFile[], columns: readonly Columns[]): void {
  const at = columns.findIndex(({ hasOnlyPaths }) => hasOnlyPaths)
  const [file, found] = [files[at], columns[at]]
  if (!file || !found) return
  throw new SpeechError(
    `${file.name}: the column ${found.audio} holds the names of files, wanted audio.`,
    'Download the whole dataset, and give its folder.',
  )
}

async function* readInTurn(
  groups: readonly ChosenGroup[],
): AsyncGenerator<{ group: ChosenGroup; row: number; entry: CachedRow }> {
  const read = (group: ChosenGroup | undefined) => {
    const reading = group && readThroughCache(group)
    reading?.catch(() => undefined) // reported when it is awaited
    return reading
  }
  let next = read(groups[0])
  for (const [i, group] of groups.entries()) {
    const cached = (await next) ?? []
    next = read(groups[i + 1])
    for (const row of group.rows) {
      const entry = cached[row]
      if (entry) yield { group, row, entry }
    }
  }
}

async function readThroughCache(group: ChosenGroup): Promise<readonly CachedRow[]> {
  const cached = await cachedRows(group)
  if (cached) return cached
  const partial = `${group.folder}.${randomUUID()}.partial` // others may fetch the same, on other hosts too
  await mkdir(partial, { recursive: true })
  const seen = new Set<string>()
  const rows: CachedRow[] = []
  for (const [i, { id, text, speaker, audio, problem }] of (
    await readGroup(group.file, group.group, group.columns)
  ).entries()) {
    const number = `row-${group.firstRow + i}`
    const unique = id === undefined || seen.has(id) ? (id === undefined ? number : `${id} ${number}`) : id
    seen.add(unique)
    if (audio) await writeFile(audioPath(partial, i), audio)
    rows.push(defined({ id: unique, text, speaker, problem }))
  }
  await writeFile(join(partial, INDEX), JSON.stringify(rows))
  await rm(group.folder, { recursive: true, force: true })
  await rename(partial, group.folder).catch(async (error) => {
    if ((await cachedRows(group)) === undefined) throw error // another run was faster
    await rm(partial, { recursive: true, force: true })
  })
  return rows
}

async function cachedRows({
  folder,
  file,
  group,
}: Pick<ChosenGroup, 'folder' | 'file' | 'group'>): Promise<readonly CachedRow[] | undefined> {
  const rows = await readOwn(CACHED_ROWS, join(folder, INDEX)) // or else they are fetched again
  return rows?.length === rowsOfGroup(file, group) ? rows : undefined
}

function audioPath(folder: string, row: number): string {
  return join(folder, `${row}.audio`)
}
