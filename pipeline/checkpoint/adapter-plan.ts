// SPDX-License-Identifier: Apache-2.0

import { Failure } from '../shared/failure.ts'
import { ADAPTER_CONFIG, type AdapterConfig, MERGE_WITH_PEFT } from './adapter-config.ts'
import { isSaved, type Modules, modulesOf } from './adapter-modules.ts'
import { ADAPTER_WEIGHTS, type AdapterTensor, type AdapterTensors, type Trained } from './adapter-tensors.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { StoredTensor } from './safetensors.ts'
import type { Naming } from './tensor-names.ts'

/* Which tensors of a base an adapter changes, and how. */

/** What is done to a tensor of the base, or to the adapter's own in its place. */
export type Change =
  /** + scale x B A: [rows, cols], with B [rows, rank] and A [rank, cols]; a convolution's other dimensions count as cols */
  | { readonly kind: 'product'; readonly a: AdapterTensor; readonly b: AdapterTensor; readonly scale: number; readonly magnitude?: AdapterTensor } // biome-ignore format: one line
  /** + scale x (B A) transposed: [rows, cols], with A [rank, rows] and B [cols, rank]; rounded before it is added */
  | {
      readonly kind: 'embedding'
      readonly a: AdapterTensor
      readonly b: AdapterTensor
      readonly scale: number
    }
  /** + scale x addend: [rows] */
  | { readonly kind: 'bias'; readonly addend: AdapterTensor; readonly scale: number }
  /** some rows in place of the base's */
  | { readonly kind: 'rows'; readonly indices: readonly number[]; readonly rows: AdapterTensor }

/** A tensor that the merged checkpoint has in place of the base's: of the same shape and type. */
export interface MergedTensor {
  /** native */
  readonly name: string
  readonly base: StoredTensor
  /** the adapter's, which was trained as a whole */
  readonly own?: AdapterTensor
  readonly change?: Change
}

const AGAIN = 'Save the adapter again with peft (save_pretrained), or download it again.'
const OTHER_BASE = 'Is this the base that it was trained on? Name another with --base.'

/**
 * What merging an adapter changes, in the order of the base's tensors, by headers alone.
 * @throws Failure for the first tensor or setting that does not fit the other, or the base
 */
export function planMerge(
  base: Pick<Checkpoint, 'tensors' | 'text_config'>,
  config: AdapterConfig,
  found: AdapterTensors,
): { tensors: MergedTensor[]; untrained: number } {
  const { modules, naming } = found
  refuseTied(base, found)
  const known = moduleNames(base, naming)
  const settings = modulesOf(config, [...new Set([...known, ...modules.keys()])])
  const merged = new Map<string, MergedTensor>()
  for (const [module, trained] of modules) {
    for (const tensor of moduleChanges({ base, config, naming, settings, module, trained }))
      merged.set(tensor.name, tensor)
  }
  requireSaved(config, base, modules, naming)
  return {
    tensors: Object.keys(base.tensors).flatMap((name) => merged.get(name) ?? []),
    untrained: known.filter((name) => settings.targets.has(name) && !hasProduct(modules.get(name))).length,
  }
}

interface Module {
  readonly base: Pick<Checkpoint, 'tensors'>
  readonly config: AdapterConfig
  readonly naming: Naming
  readonly settings: Modules
  readonly module: string
  readonly trained: Trained
}

/** Modules of the base that may have a low-rank product: those with a weight of several dimensions. */
function moduleNames({ tensors }: Pick<Checkpoint, 'tensors'>, naming: Naming): string[] {
  return Object.entries(tensors).flatMap(([name, { shape }]) =>
    name.endsWith('.weight') && shape.length > 1 ? [naming.fromNative(name).slice(0, -'.weight'.length)] : [],
  )
}

function hasProduct({ a, embeddingA }: Trained = {}): boolean {
  return (a ?? embeddingA) !== undefined
}

function moduleChanges(of: Module): MergedTensor[] {
  const { trained } = of
  const weight = ownOf(of, 'weight')
  const change = weightChange(of)
  const bias = ownOf(of, 'bias')
  const biasChange = trained.bBias && biasChangeOf(of, trained.bBias)
  return [
    ...(weight || change ? [mergedOf(of, 'weight', weight, change)] : []),
    ...(bias || biasChange ? [mergedOf(of, 'bias', bias, biasChange)] : []),
  ]
}

function mergedOf(
  of: Module,
  part: 'weight' | 'bias',
  own: AdapterTensor | undefined,
  change: Change | undefined,
): MergedTensor {
  const { name, base } = targetOf(of, part, own ?? firstOf(of.trained))
  if (own && own.shape.join() !== base.shape.join()) throw misfit(own, base.shape, name)
  return { name, base, ...(own && { own }), ...(change && { change }) }
}

function firstOf(trained: Trained): AdapterTensor | undefined {
  return Object.values(trained)[0]
}

/** The base's tensor that a module's part is. */
function targetOf(
  { base, naming, module }: Module,
  part: 'weight' | 'bias',
  by: AdapterTensor | undefined,
): { name: string; base: StoredTensor } {
  const name = naming.toNative(`${module}.${part}`)
  const tensor = base.tensors[name]
  if (tensor) return { name, base: tensor }
  throw new Failure(
    `${ADAPTER_WEIGHTS} has ${by?.key}, but the base has no tensor ${name}.`,
    part === 'bias' ? MERGE_WITH_PEFT : OTHER_BASE,
  )
}

/** A tensor that was trained as a whole, when the settings say that it was. */
function ownOf({ config, module, trained }: Module, part: 'weight' | 'bias'): AdapterTensor | undefined {
  const inner = part === 'weight' ? trained.baseWeight : trained.baseBias
  const outer = trained[part]
  if (inner && outer)
    throw new Failure(`${ADAPTER_WEIGHTS} has both ${inner.key} and ${outer.key}.`, MERGE_WITH_PEFT)
  const own = inner ?? outer
  if (own === undefined) return undefined
  const { trainedBiases: biases } = config
  const isBias = part === 'bias' && (biases === 'all' || (biases === 'lora_only' && inner !== undefined))
  // peft stores the base's rows beside the product of an embedding or an output layer
  const isBeside = part === 'weight' && inner !== undefined && hasProduct(trained)
  if (isSaved(module, config) || isBias || isBeside) return own
  throw new Failure(
    `${ADAPTER_WEIGHTS} has ${own.key}, but neither modules_to_save nor bias of ${ADAPTER_CONFIG} says that it was trained.`,
    AGAIN,
  )
}

function weightChange(of: Module): Change | undefined {
  const { config, module, trained, settings } = of
  const { a, b, embeddingA, embeddingB, magnitude, tokens } = trained
  const products = [a, b, embeddingA, embeddingB, magnitude].filter((tensor) => tensor !== undefined)
  const [first] = products
  if (first === undefined) return tokens && rowsChange(of, tokens)
  if (!settings.targets.has(module)) {
    throw new Failure(
      `${ADAPTER_WEIGHTS} has ${first.key}, but target_modules of ${ADAPTER_CONFIG} does not name ${module}.`,
      AGAIN,
    )
  }
  if (tokens)
    throw new Failure(`${ADAPTER_WEIGHTS} has both ${first.key} and ${tokens.key}.`, MERGE_WITH_PEFT)
  const { scale } = settings.weighing(module)
  if (embeddingA && embeddingB && products.length === 2)
    return checkedProduct(of, { kind: 'embedding', a: embeddingA, b: embeddingB, scale })
  if (embeddingA && embeddingB && magnitude) throw unmergeable(magnitude, 'on an embedding table')
  if (!a || !b || embeddingA || embeddingB) {
    throw new Failure(`${ADAPTER_WEIGHTS} has ${first.key} without its other half.`, AGAIN)
  }
  requireMagnitude(config, a, magnitude)
  return checkedProduct(of, { kind: 'product', a, b, scale, ...(magnitude && { magnitude }) })
}

function requireMagnitude(
  { hasMagnitudes }: AdapterConfig,
  a: AdapterTensor,
  magnitude: AdapterTensor | undefined,
): void {
  if (hasMagnitudes === (magnitude !== undefined)) return
  const found = magnitude ? `has ${magnitude.key}` : `has ${a.key} without a lora_magnitude_vector`
  throw new Failure(
    `${ADAPTER_WEIGHTS} ${found}, but use_dora of ${ADAPTER_CONFIG} is ${hasMagnitudes}.`,
    AGAIN,
  )
}

/** Ranks are those of the settings, and the other dimensions those of the base. */
function checkedProduct(of: Module, change: Extract<Change, { kind: 'product' | 'embedding' }>): Change {
  const { a, b } = change
  const { rank } = of.settings.weighing(of.module)
  const { name, base } = targetOf(of, 'weight', a)
  const [rows = 0, ...cols] = base.shape
  const isTable = change.kind === 'embedding'
  if (isTable !== name.endsWith('.embed_tokens.weight')) throw misfit(a, base.shape, name)
  const ones = cols.slice(1).map(() => 1)
  const wanted = isTable
    ? { a: [rank, rows], b: [...cols, rank] }
    : { a: [rank, ...cols], b: [rows, rank, ...ones] }
  for (const [tensor, shape] of [
    [a, wanted.a],
    [b, wanted.b],
  ] as const) {
    // biome-ignore format: pairs
    if (tensor.shape.join() === shape.join()) continue
    const found = tensor === a ? tensor.shape[0] : tensor.shape[1]
    if (found !== rank) throw wrongRank(tensor, found, rank)
    throw misfit(tensor, base.shape, name, shape)
  }
  const { magnitude } = change.kind === 'product' ? change : {}
  if (
    magnitude &&
    magnitude.shape.filter((size) => size !== 1).join() !== [rows].filter((n) => n !== 1).join()
  )
    throw misfit(magnitude, base.shape, name, [rows])
  return change
}

function biasChangeOf(of: Module, addend: AdapterTensor): Change {
  if (!of.config.hasBiases) {
    throw new Failure(
      `${ADAPTER_WEIGHTS} has ${addend.key}, but lora_bias of ${ADAPTER_CONFIG} is false.`,
      AGAIN,
    )
  }
  const { name, base } = targetOf(of, 'bias', addend)
  if (addend.shape.join() !== base.shape.join()) throw misfit(addend, base.shape, name)
  return { kind: 'bias', addend, scale: of.settings.weighing(of.module).scale }
}

/** Rows of tokens that were trained. Source: peft 0.21 `TrainableTokensLayer` */
function rowsChange(of: Module, rows: AdapterTensor): Change {
  const { name, base } = targetOf(of, 'weight', rows)
  const [count = 0, width = 0] = base.shape
  const entry = Object.entries(of.config.tokens).find(
    ([module]) => of.module === module || of.module.endsWith(`.${module}`),
  )
  const indices = entry?.[1]
  if (indices === undefined || new Set(indices).size !== indices.length) {
    throw new Failure(
      `${ADAPTER_WEIGHTS} has ${rows.key}, but trainable_token_indices of ${ADAPTER_CONFIG} does not list each of its tokens once.`,
      AGAIN,
    )
  }
  const largest = indices.reduce((most, id) => Math.max(most, id), 0)
  if (largest >= count) {
    throw new Failure(
      `${ADAPTER_CONFIG}: trainable_token_indices has ${largest}, wanted ids below ${count}, the base's vocabulary.`,
      OTHER_BASE,
    )
  }
  const wanted = [indices.length, width]
  if (rows.shape.join() !== wanted.join()) throw misfit(rows, base.shape, name, wanted)
  return { kind: 'rows', indices, rows }
}

/**
 * With tied weights the output layer is the embedding table, which changes with it. In training they were two, so that no
 * merged checkpoint is what was trained. Trained tokens are the exception: peft ties them too.
 */
function refuseTied(
  { text_config: text }: Pick<Checkpoint, 'text_config'>,
  { modules, naming }: AdapterTensors,
): void {
  if (!text.tie_word_embeddings) return
  for (const [module, { tokens, ...others }] of modules) {
    const name = naming.toNative(`${module}.weight`)
    const isTable = name.endsWith('.embed_tokens.weight')
    if (!isTable && name !== 'lm_head.weight') continue
    if (isTable && tokens && Object.keys(others).length === 0) continue
    throw new Failure(
      `The adapter changes ${name}, which the base shares between its embedding table and its output layer.`,
      'Untie them in the base (tie_word_embeddings) before training, or merge with peft and give the merged folder to --model.',
    )
  }
}

/** What was trained as a whole must be there as a whole. */
function requireSaved(
  config: AdapterConfig,
  { tensors }: Pick<Checkpoint, 'tensors'>,
  modules: ReadonlyMap<string, Trained>,
  naming: Naming,
): void {
  for (const name of Object.keys(tensors)) {
    const own = naming.fromNative(name)
    const part = own.endsWith('.weight') ? 'weight' : 'bias'
    const module = own.slice(0, -part.length - 1)
    if (!isSaved(module, config) || modules.get(module)?.[part]) continue
    throw new Failure(
      `modules_to_save of ${ADAPTER_CONFIG} names ${module}, but ${ADAPTER_WEIGHTS} has no ${part} of it.`,
      AGAIN,
    )
  }
}

function wrongRank({ key }: AdapterTensor, found: number | undefined, rank: number): Failure {
  return new Failure(
    `${ADAPTER_WEIGHTS}: ${key} has rank ${found}, wanted ${rank}, as r and rank_pattern of ${ADAPTER_CONFIG} say.`,
    AGAIN,
  )
}

function misfit(
  { key, shape }: AdapterTensor,
  base: readonly number[],
  name: string,
  wanted: readonly number[] = base,
): Failure {
  return new Failure(
    `${ADAPTER_WEIGHTS}: ${key} is [${shape.join(', ')}], wanted [${wanted.join(', ')}]: ${name} of the base is [${base.join(', ')}].`,
    OTHER_BASE,
  )
}

function unmergeable({ key }: AdapterTensor, where: string): Failure {
  return new Failure(
    `${ADAPTER_WEIGHTS} has ${key} ${where}, which this project cannot merge.`,
    MERGE_WITH_PEFT,
  )
}
