// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { decoderData, EMBEDDINGS, type Family, graphFile } from '../../eval/runtime/graphs.ts'
import { type CommitOptions, commit, type FileChange } from '../../graph-tools/commit.ts'
import type { Model, Tensor } from '../../graph-tools/model.ts'
import { SHARE_MINIMUM, shareWeights } from '../../graph-tools/share.ts'
import { applyEdits, type Edit } from '../../graph-tools/splice.ts'
import type { Emit } from '../shared/events.ts'
import { formatBytes } from '../shared/output-files.ts'

/* One data file for the decoder graphs of a variant. */

/** Where decoders are shared, and whom to say so. */
export interface Sharing {
  readonly folder: string
  /** `asr` by default */
  readonly family?: Family
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** Edits that go along with sharing: of one graph, with the tensors that they take care of. */
export interface Prepared {
  /** as in the file names */
  readonly name: string
  readonly model: Model
  readonly edits: readonly Edit[]
  readonly except?: ReadonlySet<Tensor>
}

/** Share the weights of the decoder graphs in a folder's data file of one variant, and write the graphs. */
export async function shareDecoders(
  { folder, family, emit, signal }: Sharing,
  graphs: readonly Prepared[],
  variant: string,
  more: readonly FileChange[] = [],
): Promise<void> {
  const location = decoderData(variant, family)
  const shared = await shareWeights(
    graphs.map(({ model }) => model),
    {
      folder,
      location,
      minimum: SHARE_MINIMUM,
      keep: [EMBEDDINGS],
      except: new Set(graphs.flatMap(({ except }) => [...(except ?? [])])),
    },
  )
  const changes = graphs.map(({ name, model, edits }, i) => ({
    path: join(folder, graphFile(name, variant)),
    content: applyEdits(model.bytes, [...edits, ...(shared.edits[i] ?? [])]),
  }))
  await commit(folder, [...shared.data, ...more, ...changes], progressOf({ emit, signal }, location))
  emit({
    event: 'note',
    text: `${location}: ${shared.tensors} tensors of ${graphs.length} graphs, ${shared.stored} stored, ${formatBytes(shared.bytes)}`,
  })
}

/** Show how far writing has come, and stop it when the run stops. */
export function progressOf({ emit, signal }: Omit<Sharing, 'folder'>, what: string): CommitOptions {
  return {
    onProgress: (done, total) => {
      signal.throwIfAborted()
      emit({ event: 'progress', what, done, total, unit: 'bytes' })
    },
  }
}
