// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { shown } from '../../eval/runtime/json-value.ts'
import { parseHubId } from '../hub/hub-id.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { adapterSettings, isAdapter } from './adapter.ts'
import { ADAPTER_CONFIG, type AdapterConfig } from './adapter-config.ts'
import { type Checkpoint, namedBelow, readCheckpoint } from './checkpoint.ts'
import {
  type Fetching,
  fetchSource,
  folderSource,
  hubSource,
  resolveSource,
  type Source,
} from './checkpoint-source.ts'

/* An adapter and the checkpoint that it was trained on. */

/** The checkpoint that an adapter was trained on. */
export interface Base {
  readonly source: Source
  readonly folder: string
  /** the commit of one that is the hub's */
  readonly commit?: string
}

/** A checkpoint, or an adapter with its base; on this machine. */
export interface Opened {
  readonly folder: string
  /** the commit of what is the hub's */
  readonly commit?: string
  /** of an adapter */
  readonly base?: Base
  readonly checkpoint: Checkpoint
}

const NAME_IT = 'Name the base with --base: a folder, or a hub id such as Qwen/Qwen3-ASR-0.6B.'

/**
 * Fetch what `--model` names, and its base when it is an adapter, and read the checkpoint.
 * @param base as `--base` names it
 * @throws Failure for a checkpoint or a base that cannot be used
 */
export async function openSource(
  source: Source,
  base: string | undefined,
  fetching: Fetching,
): Promise<Opened> {
  const found = await fetchSource(source, fetching)
  if (!(await isAdapter(found.folder))) {
    if (base === undefined) return { ...found, checkpoint: await readCheckpoint(found.folder) }
    throw new Failure(
      `--base ${base} goes with an adapter, but ${found.folder} is not one: it holds no ${ADAPTER_CONFIG}.`,
      (await namedBelow(found.folder)) ?? 'Leave --base out, or give an adapter to --model.',
      EXIT.usage,
    )
  }
  const settings = await adapterSettings(found.folder)
  const named =
    base === undefined ? await namedBase(settings, found.folder, 'repo' in source.place) : undefined
  const origin = named ?? (await resolveSource(base ?? '', '--base'))
  try {
    return { ...found, ...(await openBase(origin, fetching)) }
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode !== EXIT.failed) throw error
    const hint = base === undefined ? `${error.hint} ${NAME_IT}` : error.hint
    throw new Failure(`The base of the adapter, ${origin.base}, cannot be used. ${error.message}`, hint)
  }
}

async function openBase(source: Source, fetching: Fetching): Promise<Pick<Opened, 'base' | 'checkpoint'>> {
  const found = await fetchSource(source, fetching)
  if (await isAdapter(found.folder)) {
    throw new Failure(
      `${found.folder} is itself an adapter.`,
      'Merge that one with peft first (merge_and_unload, save_pretrained), and give the merged folder to --base.',
    )
  }
  return { base: { source, ...found }, checkpoint: await readCheckpoint(found.folder) }
}

/**
 * The base as an adapter's settings name it: a hub id, or a folder of this machine. The settings of an adapter from the hub are
 * somebody else's, and name no folder here.
 */
async function namedBase(
  { base, revision }: AdapterConfig,
  adapter: string,
  isOfHub: boolean,
): Promise<Source> {
  if (base === undefined) {
    throw new Failure(`${ADAPTER_CONFIG} of ${adapter} names no base (base_model_name_or_path).`, NAME_IT)
  }
  const folders = isAbsolute(base) ? [base] : [join(adapter, base), resolve(base)]
  for (const folder of isOfHub ? [] : folders)
    if ((await stat(folder).catch(() => undefined))?.isDirectory()) return folderSource(folder)
  const isPath = isAbsolute(base) || base.startsWith('.') || base.includes('..')
  const place = isPath ? undefined : parseHubId(base)
  if (place) return hubSource({ repo: place.repo, revision: revision ?? place.revision })
  const wanted = isOfHub ? 'a hub id' : `a hub id, or a folder that is here (not ${folders.join(', not ')})`
  throw new Failure(
    `${ADAPTER_CONFIG}: base_model_name_or_path is ${shown(base)}, wanted ${wanted}.`,
    NAME_IT,
  )
}
