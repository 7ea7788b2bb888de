import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { LANGUAGES } from '../eval/languages.ts'
import { fileOf } from './checkpoint-files.ts'
import { checkpointSums } from './checkpoint-sums.ts'
import { writeJson } from './files.ts'
import { PROJECT } from './models.ts'
import type { Paths } from './paths.ts'
import { pinnedVersions } from './pinned-versions.ts'
import type { Recipe } from './recipes.ts'
import type { Run } from './stages.ts'
import { recipeOf } from './variants.ts'

/** What a model directory was made of, how, and with what. It holds no path, host or time. */
export interface Provenance {
  /** a hub id or the checkpoint folder's base name */
  readonly model: string
  /** commit of a checkpoint that is the hub's */
  readonly revision?: string
  /** how `--model` names it */
  readonly flag: string
  readonly license: string
  /** ISO codes */
  readonly languages: readonly string[]
  readonly checkpoint: readonly { readonly file: string; readonly sha256: string }[]
  /** of the export and the quantizer */
  readonly options: {
    readonly opset: number
    readonly blockSize?: number
    readonly accuracyLevel: number
    readonly symmetric: boolean
    readonly prefillInt8: boolean
  }
  /** how the weights of each variant were made; FP32's were not */
  readonly recipes: Readonly<Record<string, Recipe>>
  /** that the release was to be validated for */
  readonly providers: readonly string[]
  readonly tools: Readonly<Record<string, string>>
}

/** Qwen3-ASR's own, for checkpoints that say nothing. */
const LICENSE = 'apache-2.0'

function provenanceFile(paths: Pick<Paths, 'work'>): string {
  return join(paths.work, 'provenance.json')
}

/** Note what a run makes its graphs of, beside them. */
export async function writeProvenance(run: Run): Promise<void> {
  const { opset, blockSize, accuracyLevel, symmetric, prefillInt8, variants, providers } = run.options
  const recipes = variants.map((name) => [name, recipeOf(name, run.options)] as const)
  const { license, language } = await frontMatterOf(run.checkpoint.folder)
  const provenance: Provenance = {
    model: run.base,
    ...(run.revision !== undefined && { revision: run.revision }),
    flag: run.flag,
    license: typeof license === 'string' ? license : LICENSE,
    languages: languagesOf(language),
    checkpoint: await checkpointSums(run),
    options: { opset, ...(blockSize !== undefined && { blockSize }), accuracyLevel, symmetric, prefillInt8 },
    recipes: Object.fromEntries(recipes.flatMap(([name, recipe]) => (recipe ? [[name, recipe]] : []))),
    providers,
    tools: await toolVersions(),
  }
  await writeJson(provenanceFile(run.paths), provenance)
}

/** @returns undefined when no run has come as far as to note it */
export async function readProvenance(paths: Pick<Paths, 'work'>): Promise<Provenance | undefined> {
  const text = await readFile(provenanceFile(paths), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : JSON.parse(text)
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

function languagesOf(declared: unknown): string[] {
  const list = Array.isArray(declared) ? declared : [declared]
  const codes = list.filter((code): code is string => typeof code === 'string')
  return codes.length > 0 ? codes : Object.keys(LANGUAGES)
}

/** Versions that are pinned, of the packages that computed. */
async function toolVersions(): Promise<Record<string, string>> {
  const project = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
  return {
    [project.name]: project.version,
    node: process.versions.node,
    'onnxruntime-node': project.dependencies['onnxruntime-node'],
    ...Object.fromEntries(await pinnedVersions()),
  }
}
