import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { chooseRows, startsOf } from './choose.ts'
import {
  bytesOfGroup,
  type ColumnOptions,
  type Columns,
  findColumns,
  type ParquetFile,
  readGroup,
  rowsOfGroup,
} from './parquet-rows.ts'
import type { Dataset, Selection } from './utterance.ts'

export interface ParquetDatasetOptions extends ColumnOptions {
  readonly name: string
  readonly isEnglish: boolean
  readonly source: Dataset['source']
  /** a folder for the audio of exactly these files at this revision */
  readonly cache: string
  /** the files are here: reading them is no download */
  readonly isLocal?: boolean
  readonly selection: Selection
}

/** A row group with the rows that were chosen of it. */
interface ChosenGroup {
  readonly file: ParquetFile
  readonly group: number
  /** within the group */
  readonly rows: readonly number[]
  /** number of the group's first row in the dataset */
  readonly firstRow: number
  readonly folder: string
}

/** What the cache keeps of a row beside its audio, which is in the file ROW.audio. */
interface CachedRow {
  readonly id: string
  readonly text: string
  readonly speaker?: string
  readonly problem?: string
}

const INDEX = 'rows.json'

/**
 * A dataset in parquet files. A row group is read when its first row is asked for, the next one at the same time;
 * its audio stays in the cache.
 */
export async function parquetDataset(
  files: readonly ParquetFile[],
  options: ParquetDatasetOptions,
): Promise<Dataset> {
  const columns = files.map((file) => findColumns(file, options))
  const groups = files.flatMap((file) =>
    file.metadata.row_groups.map((_, group) => ({ file, group, size: rowsOfGroup(file, group) })),
  )
  const sizes = groups.map(({ size }) => size)
  const rows = chooseRows(sizes, options.selection)
  const firstRows = startsOf(sizes)
  const chosen = groups.flatMap(({ file, group, size }, i): ChosenGroup[] => {
    const firstRow = firstRows[i] ?? 0
    const inside = rows.filter((row) => row >= firstRow && row < firstRow + size).map((row) => row - firstRow)
    const { audio, text } = columns[files.indexOf(file)] as Columns
    const folder = join(options.cache, `${audio}+${text}`, `${file.name.replaceAll('/', '--')}.${group}`)
    return inside.length === 0 ? [] : [{ file, group, rows: inside, firstRow, folder }]
  })
  const columnsOf = ({ file }: ChosenGroup) => columns[files.indexOf(file)] as Columns
  const paths = new Map(
    chosen.flatMap((group) =>
      group.rows.map((row) => [keyOf(group, row, options), audioPath(group.folder, row)] as const),
    ),
  )
  let download = 0
  for (const group of chosen) {
    if (!options.isLocal && !(await cachedRows(group)))
      download += bytesOfGroup(group.file, group.group, columnsOf(group))
  }
  return {
    ...{
      name: options.name,
      isEnglish: options.isEnglish,
      source: { ...options.source, ...columnsSaid(columns) },
    },
    keys: [...paths.keys()],
    audioPath: (key) => paths.get(key),
    ...{ count: rows.length, of: sizes.reduce((sum, size) => sum + size, 0), download },
    async *utterances(isWanted, signal) {
      const wanted = chosen
        .map((group) => ({
          ...group,
          rows: group.rows.filter((row) => isWanted(keyOf(group, row, options))),
        }))
        .filter(({ rows }) => rows.length > 0)
      for await (const { group, row, entry } of readInTurn(wanted, columnsOf)) {
        signal.throwIfAborted()
        const path = entry.problem === undefined ? audioPath(group.folder, row) : undefined
        yield { ...entry, row: group.firstRow + row, key: keyOf(group, row, options), path }
      }
    },
  }
}

/** The folder's name has the columns: other columns make other utterances. */
function keyOf({ folder, file, group }: ChosenGroup, row: number, { source }: ParquetDatasetOptions): string {
  return `${source['revision']} ${basename(dirname(folder))} ${file.name} ${group} ${row}`
}

function columnsSaid([first]: readonly Columns[]): Record<string, string> {
  return first ? { audio_column: first.audio, text_column: first.text } : {}
}

async function* readInTurn(
  groups: readonly ChosenGroup[],
  columnsOf: (group: ChosenGroup) => Columns,
): AsyncGenerator<{ group: ChosenGroup; row: number; entry: CachedRow }> {
  const read = (group: ChosenGroup | undefined) => {
    const reading = group && readThroughCache(group, columnsOf(group))
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

async function readThroughCache(group: ChosenGroup, columns: Columns): Promise<readonly CachedRow[]> {
  const cached = await cachedRows(group)
  if (cached) return cached
  const partial = `${group.folder}.${randomUUID()}.partial` // others may fetch the same, on other hosts too
  await mkdir(partial, { recursive: true })
  const seen = new Set<string>()
  const rows: CachedRow[] = []
  for (const [i, { id, text, speaker, audio }] of (
    await readGroup(group.file, group.group, columns)
  ).entries()) {
    const number = `row-${group.firstRow + i}`
    const unique = id === undefined || seen.has(id) ? (id === undefined ? number : `${id} ${number}`) : id
    seen.add(unique)
    if (audio) await writeFile(audioPath(partial, i), audio)
    const lacks = [...(audio ? [] : ['audio']), ...(text === undefined ? ['reference'] : [])].join(' and no ')
    const problem = lacks ? { problem: `The dataset has no ${lacks} in this row.` } : {}
    rows.push({ id: unique, text: text ?? '', ...(speaker !== undefined && { speaker }), ...problem })
  }
  await writeFile(join(partial, INDEX), JSON.stringify(rows))
  await rm(group.folder, { recursive: true, force: true })
  await rename(partial, group.folder).catch(async (error) => {
    if ((await cachedRows(group)) === undefined) throw error // another run was faster
    await rm(partial, { recursive: true, force: true })
  })
  return rows
}

async function cachedRows({ folder, file, group }: ChosenGroup): Promise<readonly CachedRow[] | undefined> {
  const text = await readFile(join(folder, INDEX), 'utf8').catch(() => undefined)
  const rows = text === undefined ? undefined : (JSON.parse(text) as readonly CachedRow[])
  return rows?.length === rowsOfGroup(file, group) ? rows : undefined
}

function audioPath(folder: string, row: number): string {
  return join(folder, `${row}.audio`)
}
