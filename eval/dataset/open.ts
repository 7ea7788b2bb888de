import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { asyncBufferFromFile } from 'hyparquet/src/node.js'
import { hashFile } from '../hash-file.ts'
import { SpeechError } from '../speech-error.ts'
import { folderDataset } from './folder.ts'
import { cachedRanges, cachedSplit } from './hub-cache.ts'
import type { HubOptions } from './hub-split.ts'
import { DATASET_NAMES, type HubSpec, NAMED } from './named.ts'
import { isOffline, OfflineError } from './network.ts'
import { parquetDataset } from './parquet-dataset.ts'
import { type ColumnOptions, openParquet } from './parquet-rows.ts'
import { remoteFile } from './remote-file.ts'
import type { Dataset, Selection } from './utterance.ts'

export interface OpenOptions extends HubOptions, ColumnOptions {
  readonly selection: Selection
  /** where fetched audio is kept, by repository and revision */
  readonly cache: string
}

/**
 * Open a dataset: a short name, `hub:owner/name/config/split` with an optional `@revision`, a parquet file, or a folder.
 * Of datasets on the hub this reads the list of files and the footers, no audio.
 * @throws SpeechError when there is no such dataset
 */
export async function openDataset(text: string, options: OpenOptions): Promise<Dataset> {
  const named = NAMED[text]
  if (named) return openHub(text, named, true, options)
  if (text.startsWith('hub:')) return openHub(text.slice(4), parseHub(text), false, options)
  if (text.endsWith('.parquet')) return openLocalParquet(text, options)
  if (/^[\w-]+$/.test(text) && !(await isFolder(text))) {
    throw new SpeechError(
      `There is no dataset named ${text}, and no folder.`,
      `One of ${DATASET_NAMES.join(', ')}, hub:owner/name/config/split, FILE.parquet, or a folder.`,
    )
  }
  return folderDataset(text, options.selection)
}

/** Whether {@link openDataset} would ask the hub for it. */
export function isOnHub(text: string): boolean {
  return NAMED[text] !== undefined || text.startsWith('hub:')
}

function parseHub(text: string): HubSpec {
  const match = /^hub:([^/@]+\/[^/@]+)\/([^/@]+)\/([^/@]+)(?:@(.+))?$/.exec(text)
  const [, repo, config, split, revision] = match ?? []
  if (repo && config && split) return { repo, config, split, ...(revision && { revision }) }
  throw new SpeechError(
    `"${text}" names no dataset on the hub, wanted hub:owner/name/config/split.`,
    'Datasets without configs have one named default.',
  )
}

async function openHub(
  name: string,
  spec: HubSpec,
  isEnglish: boolean,
  options: OpenOptions,
): Promise<Dataset> {
  const { repo, config, split } = spec
  const kept = join(options.cache, repo.replace('/', '--'))
  const found = await cachedSplit(spec, kept, options)
  const cache = join(kept, found.revision)
  const files = await Promise.all(
    found.files.map(({ path, size, url }) => {
      const footers = join(cache, 'footers', path.replaceAll('/', '--'))
      const file = remoteFile(url, size, options)
      return openParquet(path, file, cachedRanges(file, footers))
    }),
  )
  const source = {
    kind: 'hub',
    repo,
    config,
    split,
    revision: found.revision,
    ...(found.isPartial && { partial: 1 }),
  }
  const dataset = await parquetDataset(files, { ...options, name, isEnglish, source, cache })
  if (dataset.download > 0 && isOffline())
    throw new OfflineError(`the hub is not asked for the audio of ${repo} that is not in the cache ${cache}`)
  return dataset
}

async function openLocalParquet(path: string, options: OpenOptions): Promise<Dataset> {
  const buffer = await asyncBufferFromFile(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new SpeechError(`${path} does not exist.`) : error
  })
  const file = await openParquet(basename(path), buffer)
  const revision = await hashFile(path, 'sha256')
  const source = { kind: 'parquet', file: basename(path), revision }
  const cache = join(options.cache, 'local', revision)
  return parquetDataset([file], {
    ...options,
    name: basename(path, '.parquet'),
    isEnglish: false,
    isLocal: true,
    source,
    cache,
  })
}

async function isFolder(text: string): Promise<boolean> {
  return (await stat(resolve(text)).catch(() => undefined))?.isDirectory() ?? false
}
