// SPDX-License-Identifier: Apache-2.0

import {
  ENCODER,
  FAMILIES,
  type Family,
  FP32,
  graphFile,
  type Layout,
  PREFERRED,
  type PrefillKind,
  prefillRecipe,
  quantizedTable,
} from './graphs.ts'
import { join } from './platform/file-paths.ts'
import { namesIn } from './platform/random-access.ts'
import { PROVIDERS } from './providers.ts'
import { type ReleaseConfig, readReleaseConfig } from './release-config.ts'
import { SpeechError } from './speech-error.ts'

/** How a variant is run: the decoder's layout, and what runs prompts. */
export interface Way {
  readonly layout: Layout
  readonly prefill: PrefillKind
}

/** One variant of a release directory. */
export interface ReleaseVariant {
  readonly name: string
  /** names of files by graph; FP32's where the variant has no graph of its own */
  readonly graphs: ReadonlyMap<string, string>
  /** the file that describes its embedding table, where that is its output layer; else `embed_tokens.bin` is the table */
  readonly table: string | undefined
  /** of the graphs, as config.json describes them; graphs of older releases may have none */
  readonly precision: ReadonlyMap<string, string>
  /**
   * Ways through the files that are there, the one to take first; none when an export was left half done.
   * @param provider that is not known runs prompts as steps; opening a session refuses it
   */
  ways(provider: string): readonly Way[]
}

/** A release directory, read once: nobody else derives anything from the names of its files. */
export interface Release {
  readonly folder: string
  readonly family: Family
  readonly config: ReleaseConfig
  /** FP32 first, then by name */
  readonly variants: readonly ReleaseVariant[]
  /**
   * @param name in any case; {@link PREFERRED} by default, or else the first, of those that all readers can read if there
   * is one
   * @throws SpeechError naming those that there are
   */
  variant(name?: string): ReleaseVariant
}

/**
 * Read what a release directory holds: its variants, with the graphs and layouts of each.
 * @param wanted the only kind of model that will do; any by default
 * @throws SpeechError when it holds no decoder graph, is of another kind, or its config.json is missing or not right
 */
export async function openRelease(folder: string, wanted?: Family): Promise<Release> {
  const files = new Set(await namesIn(folder))
  const family =
    variantNames(files, 'asr').length === 0 && variantNames(files, 'aligner').length > 0 ? 'aligner' : 'asr'
  const names = variantNames(files, family)
  if (names.length === 0) throw nothing(folder, wanted)
  if (wanted !== undefined && family !== wanted) throw otherFamily(folder, family, wanted)
  const config = await readReleaseConfig(folder)
  const variants = names.map((name) => variantOf(name, files, config, family))
  return {
    folder,
    family,
    config,
    variants,
    variant(wanted) {
      const found =
        wanted === undefined
          ? (variants.find(({ name }) => name === PREFERRED) ??
            variants.find(({ table }) => table === undefined) ??
            variants[0])
          : variants.find(({ name }) => name === variantName(wanted))
      if (found) return found
      throw new SpeechError(`${folder} has no variant ${wanted}.`, `It has ${names.join(', ')}.`)
    },
  }
}

/** A variant's name as people may write it: older versions wrote "FP32", or nothing, for fp32. */
export function variantName(text: string): string {
  return text === '' ? FP32 : text.toLowerCase()
}

/**
 * The file of a graph of a variant.
 * @throws SpeechError naming the files that would do
 */
export function graphPath({ folder }: Release, { name, graphs }: ReleaseVariant, graph: string): string {
  const file = graphs.get(graph)
  if (file !== undefined) return join(folder, file)
  throw new SpeechError(
    `${folder} holds neither ${candidates(graph, name).join(' nor ')}.`,
    'Run the pipeline first, or name another folder.',
  )
}

/** Every variant that has a graph with which a layout begins. */
function variantNames(files: ReadonlySet<string>, family: Family): string[] {
  const firsts = Object.values(FAMILIES[family].layouts).map(([first]) => first)
  const found = new Set<string>()
  for (const file of files) {
    const [, graph = '', variant = FP32] = /^(\w+)(?:\.([\w-]+))?\.onnx$/.exec(file) ?? []
    if (firsts.includes(graph)) found.add(variant)
  }
  const others = [...found].filter((name) => name !== FP32).sort()
  return found.has(FP32) ? [FP32, ...others] : others
}

function variantOf(
  name: string,
  files: ReadonlySet<string>,
  { quantization }: ReleaseConfig,
  family: Family,
): ReleaseVariant {
  const { prompts } = FAMILIES[family]
  const graphs = graphsOf(name, files, family)
  const precision = new Map<string, string>()
  for (const [graph, file] of graphs) {
    const tag = quantization[file.replace(/\.onnx$/, '')]
    if (tag !== undefined) precision.set(graph, tag)
  }
  const hasInt8 = files.has(prefillRecipe(name, family)) && graphs.get(prompts) === graphFile(prompts, name)
  const layouts = layoutsOf(family, (graph) => graphs.has(graph))
  const table = files.has(quantizedTable(name)) ? quantizedTable(name) : undefined
  const ways = layouts.flatMap((layout): Way[] => [
    ...(layout !== 'split' && hasInt8 ? [{ layout, prefill: 'int8' } as const] : []),
    { layout, prefill: 'same' },
  ])
  return {
    ...{ name, graphs, table, precision },
    ways: (provider) =>
      ways.filter(({ prefill }) => prefill === 'same' || PROVIDERS[provider]?.prompts === 'int8'),
  }
}

/**
 * A variant's files by graph. One that has a layout of its own has no other: FP32's decoders do not go with its weights.
 * Where it has none, FP32's graphs stand in for those that it lacks.
 */
function graphsOf(name: string, files: ReadonlySet<string>, family: Family): Map<string, string> {
  const { graphs: all, prompts } = FAMILIES[family]
  const own = layoutsOf(family, (graph) => files.has(graphFile(graph, name)))
  const graphs = new Map<string, string>()
  for (const graph of [ENCODER, ...all, prompts]) {
    const isOwn = own.length > 0 && graph !== ENCODER
    const names = isOwn ? [graphFile(graph, name)] : candidates(graph, name)
    const file = names.find((candidate) => files.has(candidate))
    if (file !== undefined) graphs.set(graph, file)
  }
  return graphs
}

/** Layouts whose graphs are all there. */
function layoutsOf(family: Family, isThere: (graph: string) => boolean): Layout[] {
  const { layouts } = FAMILIES[family]
  const names = Object.keys(layouts) as Layout[]
  return names.filter((layout) => layouts[layout]?.every(isThere))
}

const KINDS: Readonly<Record<Family, { readonly what: string; readonly use: string }>> = {
  asr: { what: 'a speech recognition model', use: 'npm run transcribe uses it.' },
  aligner: { what: 'a forced aligner', use: 'npm run align uses it.' },
}

function nothing(folder: string, wanted: Family = 'asr'): SpeechError {
  const graph = FAMILIES[wanted].main
  return new SpeechError(
    `${folder} holds no ${graph} graph.`,
    `Give a release directory: one that holds encoder.onnx and ${graph}.onnx. The pipeline makes one.`,
  )
}

function otherFamily(folder: string, found: Family, wanted: Family): SpeechError {
  return new SpeechError(
    `${folder} holds ${KINDS[found].what}, wanted ${KINDS[wanted].what}.`,
    KINDS[found].use,
  )
}

function candidates(graph: string, variant: string): string[] {
  return [...new Set([graphFile(graph, variant), graphFile(graph, FP32)])]
}
