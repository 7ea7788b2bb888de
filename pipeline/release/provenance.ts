// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { parse } from 'yaml'
import { readChecked } from '../../eval/checked-json.ts'
import { LANGUAGES } from '../../eval/runtime/languages.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import {
  count,
  dictionary,
  list,
  type Parsed,
  section,
  shape,
  text,
  truth,
} from '../../eval/runtime/schema.ts'
import type { Adapter } from '../checkpoint/adapter.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { fileOf } from '../checkpoint/checkpoint-files.ts'
import { adapterSums, checkpointSums, type SumOptions } from '../checkpoint/checkpoint-sums.ts'
import { pinnedVersions } from '../python/pinned-versions.ts'
import { RECIPE } from '../recipe-schema.ts'
import { checkedText } from '../shared/checked.ts'
import { writeJson } from '../shared/output-files.ts'
import type { Paths } from '../shared/paths.ts'
import { recipeOf } from '../variants.ts'
import { ADAPTER, type AdapterBase } from './adapter-schema.ts'
import { CALIBRATION, type CalibrationSource, CHOSEN } from './calibration-schema.ts'
import { ENCODER_CHOICES } from './encoder-schema.ts'

/** What a model directory was made of, how, and with what. It holds no path, host or time. */
const PROVENANCE = shape({
  /** a hub id or the checkpoint folder's base name */
  model: text,
  /** commit of a checkpoint that is the hub's */
  revision: v.exactOptional(text),
  /** how `--model` names it */
  flag: text,
  license: text,
  /** ISO codes */
  languages: list(text),
  checkpoint: list(shape({ file: text, sha256: text })),
  /** what was merged into the checkpoint; then `model` names the adapter, and `checkpoint` its base's files */
  adapter: v.exactOptional(ADAPTER),
  /** of the export and the quantizer */
  options: shape({
    opset: count,
    blockSize: v.exactOptional(count),
    accuracyLevel: count,
    symmetric: truth,
    prefillInt8: truth,
  }),
  /** how the weights of each variant were made; FP32's were not */
  recipes: dictionary(RECIPE),
  calibration: v.exactOptional(CALIBRATION),
  /** formats of weights, of variants whose recipes leave the choice to the calibration */
  chosen: v.exactOptional(CHOSEN),
  /** by which rules encoders were made, of variants whose recipes have several */
  encoders: v.exactOptional(ENCODER_CHOICES),
  /** that the release was to be validated for */
  providers: v.pipe(list(text), v.minLength(1, 'at least one')),
  tools: dictionary(text),
})

/** What a model directory was made of. */
export type Provenance = Parsed<typeof PROVENANCE>

/** Qwen3-ASR's own, for checkpoints that say nothing. */
const LICENSE = 'apache-2.0'

function provenanceFile(paths: Pick<Paths, 'work'>): string {
  return join(paths.work, 'provenance.json')
}

/** What a run makes its graphs of, and how. */
interface Making extends SumOptions {
  readonly checkpoint: Pick<Checkpoint, 'folder' | 'aligner'>
  readonly adapter?: Pick<Adapter, 'folder' | 'config'> & { readonly base: AdapterBase }
  readonly base: string
  readonly revision?: string
  readonly flag: string
  readonly options: Omit<Provenance['options'], 'blockSize'> & {
    readonly blockSize?: number
    readonly variants: readonly string[]
    readonly providers: readonly string[]
  }
}

/** What recipes looked at, and what they chose. */
export type Choices = Pick<Provenance, 'calibration' | 'chosen' | 'encoders'>

/** Note what a run makes its graphs of, beside them. */
export async function writeProvenance(run: Making, choices: Choices): Promise<void> {
  const { calibration, chosen = {}, encoders = {} } = choices
  const { opset, blockSize, accuracyLevel, symmetric, prefillInt8, variants, providers } = run.options
  const recipes = variants.map((name) => [name, recipeOf(name, run.options)] as const)
  const { adapter, checkpoint } = run
  const { license, language } = {
    ...(await frontMatterOf(checkpoint.folder)),
    ...(adapter && (await frontMatterOf(adapter.folder))),
  }
  const provenance: Provenance = {
    model: run.base,
    ...(run.revision !== undefined && { revision: run.revision }),
    flag: run.flag,
    license: typeof license === 'string' ? license : LICENSE,
    languages: languagesOf(language, run.checkpoint.aligner?.languages),
    checkpoint: await checkpointSums(run),
    ...(adapter && { adapter: await adapterOf({ ...run, adapter }) }),
    options: { opset, ...(blockSize !== undefined && { blockSize }), accuracyLevel, symmetric, prefillInt8 },
    recipes: Object.fromEntries(recipes.flatMap(([name, recipe]) => (recipe ? [[name, recipe]] : []))),
    ...(calibration && { calibration: sourceOf(calibration) }),
    ...(Object.keys(chosen).length > 0 && { chosen }),
    ...(Object.keys(encoders).length > 0 && { encoders }),
    providers: [...providers],
    tools: await toolVersions(),
  }
  await writeJson(provenanceFile(run.paths), provenance)
}

async function adapterOf(
  run: SumOptions & { readonly adapter: NonNullable<Making['adapter']> },
): Promise<NonNullable<Provenance['adapter']>> {
  const { base, config } = run.adapter
  return { base, rank: config.rank, alpha: config.alpha, files: await adapterSums(run) }
}

/** Without what the clips say, which is other people's speech. */
function sourceOf({ dataset, clips, positions, versions }: CalibrationSource): CalibrationSource {
  return {
    dataset,
    clips: clips.map(({ id, sha256, seconds }) => ({ id, sha256, seconds })),
    positions,
    versions,
  }
}

/**
 * Read what a model directory was made of.
 * @returns undefined when no run has come as far as to note it
 * @throws SpeechError when it is damaged, or of an older version
 */
export function readProvenance(paths: Pick<Paths, 'work'>): Promise<Provenance | undefined> {
  const hint = 'Run the pipeline again: npm run pipeline -- --model MODEL --until evaluate'
  return readChecked(PROVENANCE, provenanceFile(paths), hint)
}

/** What the checkpoint's own model card declares (https://huggingface.co/docs/hub/model-cards). */
async function frontMatterOf(folder: string): Promise<Record<string, unknown>> {
  const path = await fileOf(folder, 'README.md').catch(() => undefined)
  const card = path === undefined ? '' : await readFile(path, 'utf8')
  const text = /^---\r?\n(.*?)\r?\n---\s*$/ms.exec(card)?.[1]
  try {
    const declared: unknown = text === undefined ? {} : parse(text)
    return typeof declared === 'object' && declared !== null ? { ...declared } : {}
  } catch {
    return {} // somebody else's card; ours is checked
  }
}

/** @param known English names of those that a checkpoint lists itself; all of Qwen3-ASR by default */
function languagesOf(declared: unknown, known: readonly string[] = Object.values(LANGUAGES)): string[] {
  const list = Array.isArray(declared) ? declared : [declared]
  const codes = list.filter((code): code is string => typeof code === 'string')
  if (codes.length > 0) return codes
  return Object.entries(LANGUAGES).flatMap(([code, name]) => (known.includes(name) ? [code] : []))
}

const PACKAGE = shape({
  name: text,
  version: text,
  optionalDependencies: section({ 'onnxruntime-node': text }),
})

/** Versions that are pinned, of the packages that computed. */
export async function toolVersions(): Promise<Record<string, string>> {
  const file = join(PROJECT, 'package.json')
  const project = checkedText(PACKAGE, await readFile(file, 'utf8'), { file, hint: 'Get the project again.' })
  return {
    [project.name]: project.version,
    node: process.versions.node,
    'onnxruntime-node': project.optionalDependencies['onnxruntime-node'],
    ...Object.fromEntries(await pinnedVersions()),
  }
}
