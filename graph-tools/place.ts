// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import type { Content } from './bytes.ts'
import type { FileChange } from './commit.ts'
import { dataName } from './data-name.ts'
import { ALIGNMENT, moveIn, moveOut, resolveLocation } from './external-data.ts'
import { GraphError } from './graph-error.ts'
import { readWhileLoading } from './loading.ts'
import type { Model, Tensor } from './model.ts'
import { firstEqual } from './same-bytes.ts'
import { applyEdits, contentLength, type Edit } from './splice.ts'
import { contentOf } from './tensor-data.ts'

/* Where the bytes of weights are stored: inside the graphs, or in data files. */

/** Protobuf parsers refuse messages of 2 GiB and more (protobuf.dev, "Proto Limits"). */
const PROTO_LIMIT = 2 ** 31 - 1

/** Where a tensor's bytes shall be: in a data file beside the model, inside the proto, where they are, or nowhere. */
export type Place = { readonly location: string } | 'inside' | 'stay' | 'gone'

/** Where a placement happens, and the callbacks for its progress. */
export interface PlaceOptions {
  /** folder that the data files are in, and the graphs will be */
  readonly folder: string
  /** bytes compared so far of those of one data file, when equal ones are looked for */
  readonly onCompared?: (done: number, total: number) => void
}

/** A plan for the bytes of some graphs' weights; nothing is written yet. */
export interface Placement {
  /** edits of each model, in order */
  readonly edits: readonly (readonly Edit[])[]
  /** data files to write; one that is right already is not among them */
  readonly data: readonly FileChange[]
  /** every data file that the graphs read afterwards, relative to the folder */
  readonly locations: ReadonlySet<string>
  /** tensors that point into data files, how many different ones those store, and the files' bytes */
  readonly tensors: number
  readonly stored: number
  readonly bytes: number
}

interface Entry {
  readonly graph: number
  readonly tensor: Tensor
  readonly content: Content
  readonly length: number
  readonly location: string
}

/**
 * Plan where the weights of several graphs shall be. In each data file equal bytes are stored once, whatever names and
 * shapes their tensors have; every tensor starts on a page; the order is that of the graphs and of their initializers.
 * A tensor that stays in a data file which is written again moves within it. What a runtime reads while it loads a graph is
 * inside afterwards, whatever was chosen: {@link readWhileLoading}.
 * @param choose where a tensor of so many bytes shall be
 * @throws GraphError when a graph would pass protobuf's 2 GiB limit, a tensor's bytes cannot be had, or
 * {@link dataName} refuses a data file's name
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export async function placeWeights(
  models: readonly Model[],
  choose: (tensor: Tensor, model: Model) => Place,
  options: PlaceOptions,
): Promise<Placement> {
  const named = namer(models, options.folder)
  const early = new Set(models.flatMap((model) => [...readWhileLoading(model)]))
  const inside = (tensor: Tensor, place: Place): Place =>
    early.has(tensor) && typeof place !== 'string' ? 'inside' : place
  const places = models.map(
    (model) =>
      new Map(movable(model).map((tensor) => [tensor, named(inside(tensor, choose(tensor, model)))])),
  )
  const targets = new Set(
    places.flatMap((map) => [...map.values()]).flatMap((place) => locationIn(place) ?? []),
  )
  const locations = new Set(targets)
  const edits: Edit[][] = models.map(() => [])
  const entries: Entry[] = []
  for (const [graph, model] of models.entries()) {
    for (const [tensor, chosen] of places[graph] ?? []) {
      const moved = chosen === 'stay' ? stayIn(tensor, model, targets, options.folder) : chosen
      const place = inside(tensor, moved)
      if (place === 'stay' && tensor.location !== undefined) locations.add(tensor.location)
      if (place === 'stay' || place === 'gone' || (place === 'inside' && tensor.location === undefined))
        continue
      const content = contentOf(model, tensor)
      if (content === undefined) continue
      const length = contentLength([content])
      if (place === 'inside') edits[graph]?.push(...moveIn(tensor, content, length))
      else entries.push({ graph, tensor, content, length, location: place.location })
    }
  }
  const data: FileChange[] = []
  let [stored, bytes] = [0, 0]
  for (const location of [...targets].sort()) {
    const own = entries.filter((entry) => entry.location === location)
    const file = await layOut(own, resolveLocation(location, options.folder), options)
    for (const [i, { graph, tensor, length }] of own.entries()) {
      edits[graph]?.push(...moveOut(tensor, location, file.offsets[i] ?? 0, length))
    }
    if (!file.isThere) data.push(file.change)
    stored += file.stored
    bytes += file.bytes
  }
  models.forEach((model, graph) => {
    refuseLarge(model, edits[graph] ?? [])
  })
  return { edits, data, locations, tensors: entries.length, stored, bytes }
}

/** Places with the names of their data files checked and normalized, each name once. */
function namer(models: readonly Model[], folder: string): (place: Place) => Place {
  const names = new Map<string, Place>()
  return (place) => {
    if (typeof place === 'string') return place
    const known = names.get(place.location) ?? { location: dataName(place.location, models, folder) }
    names.set(place.location, known)
    return known
  }
}

/** Weights proper: tensors inside nodes stay there, unless their bytes are outside already. */
export function movable(model: Model): Tensor[] {
  return model.tensors.filter(({ kind, location }) => kind === 'initializer' || location !== undefined)
}

function locationIn(place: Place): string | undefined {
  return typeof place === 'string' ? undefined : place.location
}

function stayIn(tensor: Tensor, model: Model, targets: ReadonlySet<string>, folder: string): Place {
  const { location } = tensor
  const moves = location !== undefined && model.folder === folder && targets.has(location)
  return moves ? { location } : 'stay'
}

async function layOut(entries: readonly Entry[], path: string, { onCompared }: PlaceOptions) {
  const pieces = entries.map(({ content }) => content)
  const total = contentLength(pieces)
  const first = await firstEqual(pieces, (done) => onCompared?.(done, total))
  const offsets: number[] = []
  const content: Content[] = []
  let [end, stored, inPlace] = [0, 0, true]
  for (const [i, { content: piece, length }] of entries.entries()) {
    if (first[i] !== i) {
      offsets.push(offsets[first[i] ?? 0] ?? 0)
      continue
    }
    const start = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    if (start > end) content.push(new Uint8Array(start - end))
    content.push(piece)
    offsets.push(start)
    inPlace &&= 'path' in piece && piece.path === path && piece.start === start
    end = start + length
    stored++
  }
  const isThere = inPlace && (await stat(path).catch(() => undefined))?.size === end
  return { offsets, stored, bytes: end, isThere, change: { path, content } }
}

function refuseLarge(model: Model, edits: readonly Edit[]): void {
  const bytes = contentLength(applyEdits(model.bytes, edits))
  if (bytes <= PROTO_LIMIT || bytes <= model.bytes.length) return
  throw new GraphError(
    `With its weights inside ${model.path ?? 'the model'} would have ${bytes} bytes; protobuf allows ${PROTO_LIMIT}.`,
    'Keep the weights in a data file.',
  )
}
