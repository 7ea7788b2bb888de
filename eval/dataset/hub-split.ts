// SPDX-License-Identifier: Apache-2.0

import { datasetInfo, listFiles } from '@huggingface/hub'
import { count, list, type Parsed, shape, text, truth } from '../runtime/schema.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { libraryToken } from './hub-token.ts'
import type { RemoteOptions } from './remote-file.ts'
import { retryingFetch } from './retrying-fetch.ts'

const DEFAULT_HUB = 'https://huggingface.co'
/** Where the hub keeps its own conversions of datasets that are stored in other formats. */
const CONVERTED = 'refs/convert/parquet'

/** How the hub is reached; https://huggingface.co where no endpoint is given. */
export interface HubOptions extends RemoteOptions {
  /** HF_ENDPOINT */
  readonly endpoint?: string
}

/** The parquet files of one split, at a revision that does not move. */
export const HUB_SPLIT = shape({
  repo: text,
  revision: text,
  files: list(shape({ path: text, size: count, url: text })),
  /** the hub converted only a part of a large split */
  isPartial: truth,
})
/** The parquet files of one split of a dataset, at one commit; sizes in bytes. */
export type HubSplit = Parsed<typeof HUB_SPLIT>

/**
 * Find the parquet files of a split: in the repository itself, else in the hub's conversion of it.
 * @param revision a branch, tag or commit; main by default
 * @throws SpeechError when there is no such dataset, or no parquet of this split in it
 * @see https://huggingface.co/docs/dataset-viewer/parquet
 */
export async function findHubSplit(
  repo: string,
  config: string,
  split: string,
  revision: string | undefined,
  options: HubOptions,
): Promise<HubSplit> {
  const places = [
    { revision: revision ?? 'main', folders: ownFolders(config, split), isPartial: false },
    { revision: CONVERTED, folders: [`${config}/${split}`], isPartial: false },
    { revision: CONVERTED, folders: [`${config}/partial-${split}`], isPartial: true },
  ].filter((place) => revision === undefined || place.revision === revision)
  for (const place of places) {
    const commit = await commitOf(repo, place.revision, options)
    if (commit === undefined) continue
    for (const folder of place.folders) {
      const files = await parquetFiles(repo, commit, folder, split, options)
      if (files.length > 0) return { repo, revision: commit, files, isPartial: place.isPartial }
    }
  }
  throw new SpeechError(
    `${repo} has no parquet files of config ${config}, split ${split}${revision ? ` at ${revision}` : ''}.`,
    `Look at ${hubOf(options)}/datasets/${repo}/tree/main for its configs and splits.`,
  )
}

/** Datasets without configs, for which people say `default`, keep their files in `data`. */
function ownFolders(config: string, split: string): string[] {
  return [`${config}/${split}`, config, ...(config === 'default' ? ['data'] : [])]
}

/** @returns undefined when there is no such revision */
async function commitOf(repo: string, revision: string, options: HubOptions): Promise<string | undefined> {
  try {
    const info = await datasetInfo({ ...common(options), name: repo, revision, additionalFields: ['sha'] })
    return info.sha
  } catch (error) {
    const { statusCode } = error as { statusCode?: number }
    if (statusCode === 404 && revision === CONVERTED) return undefined
    if (statusCode === 401 || statusCode === 403 || statusCode === 404) {
      throw new SpeechError(
        `The hub has no dataset ${repo} at ${revision}, or you may not read it (status ${statusCode}).`,
        'Check the name; set HF_TOKEN for gated and private datasets.',
      )
    }
    throw error
  }
}

async function parquetFiles(
  repo: string,
  commit: string,
  folder: string,
  split: string,
  options: HubOptions,
): Promise<HubSplit['files']> {
  const isOwn = folder.endsWith(`/${split}`) || folder.endsWith(`/partial-${split}`)
  const files: { path: string; size: number; url: string }[] = []
  try {
    const repository = { type: 'dataset', name: repo } as const
    for await (const { path, size, type } of listFiles({
      ...common(options),
      repo: repository,
      revision: commit,
      path: folder,
    })) {
      const name = path.slice(folder.length + 1)
      if (type !== 'file' || !name.endsWith('.parquet')) continue
      if (!isOwn && !name.startsWith(`${split}-`) && name !== `${split}.parquet`) continue
      const escaped = path.split('/').map(encodeURIComponent).join('/')
      files.push({ path, size, url: `${hubOf(options)}/datasets/${repo}/resolve/${commit}/${escaped}` })
    }
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return []
    throw error
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

function common(options: HubOptions) {
  return {
    hubUrl: hubOf(options),
    fetch: retryingFetch({ ...options, origin: new URL(hubOf(options)).origin }),
    ...(options.token && { accessToken: libraryToken(options.token) }),
  }
}

function hubOf({ endpoint }: HubOptions): string {
  return (endpoint || DEFAULT_HUB).replace(/\/+$/, '')
}
