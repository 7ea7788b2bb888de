import { ALIGNMENT, contentOf, moveOut } from './external-data.ts'
import { append, readRange, sameBytes, writeBeside } from './files.ts'
import type { Model, Tensor } from './model.ts'
import { type Content, contentLength, type Edit } from './splice.ts'

const SAMPLE = 256

export interface SharedGraph {
  readonly model: Model
  /** folder of the model file */
  readonly folder: string
}

export interface ShareOptions {
  /** tensors below this many bytes stay where they are */
  readonly minimum: number
  /** tensors whose bytes are in these files beside the model stay there */
  readonly keep: readonly string[]
  readonly onProgress?: (done: number, total: number) => void
}

export interface ShareResult {
  /** one list of edits for each graph, in order */
  readonly edits: readonly (readonly Edit[])[]
  /** tensors that point into the data file, and how many different ones it stores */
  readonly tensors: number
  readonly stored: number
  /** bytes of the data file */
  readonly bytes: number
}

/**
 * Put the weights of any number of graphs into one data file, each different content once.
 * Tensors are equal when their bytes are, whatever their names, shapes and files; that is decided by comparing
 * the bytes. The layout follows the order of `graphs` and of their initializers.
 * @param path the data file to write
 */
export async function shareWeights(
  graphs: readonly SharedGraph[],
  path: string,
  location: string,
  options: ShareOptions,
): Promise<ShareResult> {
  const wanted = graphs.map((graph) => sharedTensors(graph, options))
  const stored = await storeOnce(wanted.flat())
  const offsets = layOut(stored)
  const bytes = await writeData(path, stored, offsets, options.onProgress)
  const edits = wanted.map((tensors) =>
    tensors.flatMap((entry) =>
      moveOut(entry.tensor, location, offsets.get(entry.original) ?? 0, contentLength([entry.content])),
    ),
  )
  return { edits, tensors: wanted.flat().length, stored: stored.length, bytes }
}

interface Entry {
  readonly tensor: Tensor
  readonly content: Content
  /** the entry whose bytes are stored for this one: itself, or an equal one before it */
  original: Entry
}

function sharedTensors(graph: SharedGraph, options: ShareOptions): Entry[] {
  return graph.model.bodies
    .flatMap((body) => body.initializers)
    .flatMap((tensor) => {
      const content = contentOf(graph.model, tensor, graph.folder)
      if (content === undefined || contentLength([content]) < options.minimum) return []
      if (options.keep.includes(tensor.external.get('location') ?? '')) return []
      const entry = { tensor, content } as Entry
      entry.original = entry
      return [entry]
    })
}

/** Find for every entry the first one with the same bytes. Only entries of equal length and sample are compared. */
async function storeOnce(entries: readonly Entry[]): Promise<Entry[]> {
  const buckets = new Map<string, Entry[]>()
  const stored: Entry[] = []
  for (const entry of entries) {
    const key = await sample(entry.content)
    const bucket = buckets.get(key) ?? []
    const equal = await firstEqual(bucket, entry)
    if (equal !== undefined) {
      entry.original = equal
      continue
    }
    buckets.set(key, [...bucket, entry])
    stored.push(entry)
  }
  return stored
}

async function firstEqual(bucket: readonly Entry[], entry: Entry): Promise<Entry | undefined> {
  for (const other of bucket) {
    if (isSameRange(other.content, entry.content) || (await sameBytes(other.content, entry.content)))
      return other
  }
  return undefined
}

function isSameRange(a: Content, b: Content): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array) return false
  return a.path === b.path && a.start === b.start && a.end === b.end
}

/** Length and a few bytes from the middle: sorts candidates, decides nothing. */
async function sample(content: Content): Promise<string> {
  const length = contentLength([content])
  const at = Math.max(0, (length >> 1) - SAMPLE)
  const end = Math.min(length, at + SAMPLE)
  if (content instanceof Uint8Array)
    return `${length}:${Buffer.from(content.subarray(at, end)).toString('hex')}`
  for await (const chunk of readRange({
    path: content.path,
    start: content.start + at,
    end: content.start + end,
  })) {
    return `${length}:${Buffer.from(chunk).toString('hex')}`
  }
  return `${length}:`
}

function layOut(stored: readonly Entry[]): Map<Entry, number> {
  const offsets = new Map<Entry, number>()
  let end = 0
  for (const entry of stored) {
    const start = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    offsets.set(entry, start)
    end = start + contentLength([entry.content])
  }
  return offsets
}

async function writeData(
  path: string,
  stored: readonly Entry[],
  offsets: ReadonlyMap<Entry, number>,
  onProgress: ShareOptions['onProgress'],
): Promise<number> {
  const last = stored.at(-1)
  const total = last === undefined ? 0 : (offsets.get(last) ?? 0) + contentLength([last.content])
  await writeBeside(path, async (file) => {
    let end = 0
    for (const entry of stored) {
      const start = offsets.get(entry) ?? 0
      await append(file, new Uint8Array(start - end))
      await append(file, entry.content)
      end = start + contentLength([entry.content])
      onProgress?.(end, total)
    }
  })
  return total
}
