// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { isOffline } from '../../eval/dataset/network.ts'
import { section, text } from '../../eval/runtime/schema.ts'
import { hubAddress } from '../hub/connection.ts'
import { parseHubId } from '../hub/hub-id.ts'
import { type KnownLimits, type KnownModel, MODELS } from '../models.ts'
import { checkedResult, runPython } from '../python/run-python.ts'
import type { Python } from '../python/venv.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'

/** Where a model comes from and what its release is called. */
export interface Source {
  readonly name: string
  /** for the model card: a hub id or the checkpoint folder's base name */
  readonly base: string
  /** how to name it on the command line, without a path of this machine */
  readonly flag: string
  /** none for models without a row in the model table */
  readonly known: KnownLimits
  readonly place: KnownModel['source']
}

/**
 * What `--model` or `--base` means: a name of the model table, a directory, or a hub id with an optional @revision.
 * @param option for messages
 * @throws Failure (wrong usage) for anything else
 */
export async function resolveSource(model: string, option = '--model'): Promise<Source> {
  const known: KnownModel | undefined = Object.entries(MODELS).find(
    ([key]) => key === model.toLowerCase(),
  )?.[1]
  if (known) {
    const base = 'repo' in known.source ? known.source.repo : known.name
    return { name: known.name, base, flag: model, known, place: known.source }
  }
  const info = await stat(model).catch(() => undefined)
  if (info?.isDirectory()) return folderSource(model)
  const place = parseHubId(model)
  if (info === undefined && isPath(model)) {
    throw new Failure(`${model} does not exist.`, `Give a directory or a hub id to ${option}.`, EXIT.usage)
  }
  if (!place || info) throw unknownModel(model, option)
  return { ...hubSource(place), flag: model }
}

/** Whether a name is a path, and so not a hub id. */
function isPath(name: string): boolean {
  return isAbsolute(name) || name.startsWith('.') || name.split(/[\\/]/).length > 2
}

/** The folders that the Trainer of transformers saves to while it trains: the name of the model is that of the folder above. */
const SAVED = /^checkpoint-\d+$/

/** A checkpoint or an adapter in a folder, and named after it. */
export function folderSource(path: string): Source {
  const folder = resolve(path)
  const own = basename(folder)
  const names = SAVED.test(own) ? [basename(dirname(folder)), own].filter(Boolean) : [own]
  const base = names.join('-')
  return { name: releaseName(base), base, flag: `path/to/${names.join('/')}`, known: {}, place: { folder } }
}

/** A repository of the hub. */
export function hubSource(place: { readonly repo: string; readonly revision: string }): Source {
  const { repo, revision } = place
  const flag = revision === 'main' ? repo : `${repo}@${revision}`
  return { name: releaseName(basename(repo)), base: repo, flag, known: {}, place }
}

const FETCHED = section({ folder: text, commit: text })

/** What a download needs. */
export interface Fetching {
  readonly python: () => Promise<Python>
  /** for its log */
  readonly output: string
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * The folder of a checkpoint or an adapter, downloaded first when it is on the hub.
 * @returns it, and the commit it is of when it is the hub's
 */
export async function fetchSource(
  source: Source,
  context: Fetching,
): Promise<{ folder: string; commit?: string }> {
  if ('folder' in source.place) return { folder: source.place.folder }
  const { repo, revision } = source.place
  hubAddress() // refuses what the script would print
  context.emit({ event: 'note', text: `Fetching ${repo}@${revision} from the hub` })
  const result = await runPython('download.py', [repo, revision], {
    python: (await context.python()).path,
    log: join(context.output, `${source.name}.download.log`),
    signal: context.signal,
    onProgress: (progress) => context.emit({ ...progress, event: 'progress' }),
    env: { HF_HUB_OFFLINE: isOffline() ? '1' : '0' },
  })
  const { folder, commit } = checkedResult(FETCHED, result, 'download.py')
  context.emit({ event: 'note', text: `${repo} is at commit ${commit}` })
  return { folder, commit }
}

/** What the release of a checkpoint is called by default. */
export function releaseName(base: string): string {
  return base.toLowerCase().replace(/-hf$/, '')
}

function unknownModel(model: string, option: string): Failure {
  return new Failure(
    option === '--model' ? `Unknown model "${model}".` : `Unknown model "${model}" for ${option}.`,
    `Use one of ${Object.keys(MODELS).join(', ')}, a checkpoint directory, or a hub id such as Qwen/Qwen3-ASR-0.6B.`,
    EXIT.usage,
  )
}
