// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { asyncBufferFromFile } from 'hyparquet/src/node.js'
import { endAll } from '../concurrency.ts'
import { defined } from '../runtime/defined.ts'
import { requireFile } from '../runtime/plain-file.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import type { ColumnOptions } from './columns.ts'
import { hasManifest } from './find-entries.ts'
import { folderDataset, listedDataset } from './folder-dataset.ts'
import { cachedRanges, cachedSplit } from './hub-cache.ts'
import type { HubOptions } from './hub-split.ts'
import { DATASETS_LISTED, type HubSpec, type NamedDataset, namedDataset } from './named.ts'
import { isOffline, OfflineError } from './network.ts'
import { findParquetColumns } from './parquet-columns.ts'
import { parquetDataset } from './parquet-dataset.ts'
import { parquetEntries } from './parquet-entries.ts'
import { openParquet } from './parquet-file.ts'
import { remoteFile } from './remote-file.ts'
import type { Dataset, Selection } from './utterance.ts'

/* What `--datasets` names, as a dataset with its utterances. */

/** AudioFolder's table, when it is parquet: names of files instead of audio. */
const METADATA = 'metadata.parquet'

/** Which utterances of a dataset are opened, and how. */
export interface OpenOptions extends HubOptions, ColumnOptions {
  readonly selection: Selection
  /** where fetched audio and parts of recordings are kept */
  readonly cache: string
  /** utterances without a reference are measured too: every word in them is an insertion */
  readonly keepEmpty?: boolean
}

/**
 * Open a dataset: a short name, `hub:owner/name/config/split` with an optional `@revision`, a parquet file, or a folder.
 * Of datasets on the hub this reads the list of files and the footers, no audio.
 * @throws SpeechError when there is no such dataset
 */
export async function openDataset(text: string, options: OpenOptions): Promise<Dataset> {
  const named = namedDataset(text)
  if (named) return openHub(text, named, { ...columnsOf(named), ...options })
  if (text.startsWith('hub:')) return openHub(text.slice(4), parseHub(text), options)
  const info = await stat(text).catch(() => undefined)
  if (/\.parquet$/i.test(text) && !info?.isDirectory()) return openLocalParquet(text, options)
  if (/^[\w-]+$/.test(text) && !info) {
    throw new SpeechError(
      `There is no dataset named ${text}, and no folder.`,
      `One of ${DATASETS_LISTED}, hub:owner/name/config/split, FILE.parquet, or a folder.`,
    )
  }
  const names = info?.isDirectory() ? await readdir(text) : []
  if (names.includes(METADATA) && !hasManifest(names)) {
    return openLocalParquet(join(text, METADATA), options, text)
  }
  return folderDataset(text, options.selection, options)
}

/** Whether {@link openDataset} would ask the hub for it. */
export function isOnHub(text: string): boolean {
  return namedDataset(text) !== undefined || text.startsWith('hub:')
}

function parseHub(text: string): HubSpec {
  const match = /^hub:([^/@]+\/[^/@]+)\/([^/@]+)\/([^/@]+)(?:@(.+))?$/.exec(text)
  const [, repo, config, split, revision] = match ?? []
  if (repo && config && split) return defined({ repo, config, split, revision })
  throw new SpeechError(
    `"${text}" names no dataset on the hub, wanted hub:owner/name/config/split.`,
    'Datasets without configs have one named default.',
  )
}

/** The columns of a row of the table, which the user's go before. */
function columnsOf({ columns: { text, audio } = {} }: NamedDataset): ColumnOptions {
  return defined({ textColumn: text, audioColumn: audio })
}

async function openHub(
  name: string,
  spec: HubSpec & Partial<NamedDataset>,
  options: OpenOptions,
): Promise<Dataset> {
  const { repo, config, split, language, normalizer } = spec
  const kept = join(options.cache, repo.replace('/', '--'))
  const found = await cachedSplit(spec, kept, options)
  const cache = join(kept, found.revision)
  const files = await endAll(
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
  const dataset = await parquetDataset(files, {
    ...options,
    ...defined({ name, source, cache, language, normalizer }),
  })
  if (dataset.download > 0 && isOffline())
    throw new OfflineError(`the hub is not asked for the audio of ${repo} that is not in the cache ${cache}`)
  return dataset
}

/** @param root the folder that is named by the user, when the file is its table */
async function openLocalParquet(path: string, options: OpenOptions, root?: string): Promise<Dataset> {
  await requireFile(path)
  const buffer = await asyncBufferFromFile(path)
  const file = await openParquet(basename(path), buffer)
  if (findParquetColumns(file, options).hasOnlyPaths)
    return listedDataset(root ?? path, parquetEntries(file, path, options), options.selection, options)
  // The footer stands for the whole, which is not read; each row group that is chosen is identified by content.
  const footer = await buffer.slice(buffer.byteLength - file.metadata.metadata_length - 8)
  const revision = createHash('sha256').update(new Uint8Array(footer)).digest('hex')
  return parquetDataset([file], {
    ...options,
    name: basename(root ?? path).replace(/\.parquet$/i, ''),
    isLocal: true,
    source: { kind: 'parquet', file: basename(path), revision },
    cache: join(options.cache, 'local'),
  })
}
