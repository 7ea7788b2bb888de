import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findEmbedding, readEmbeddingFp16, writeEmbeddingFp16 } from '../../graph-tools/embed-fp16.ts'
import { writeWhole } from '../../graph-tools/files.ts'
import { inlineWeights } from '../../graph-tools/inline-weights.ts'
import { type Model, parseModel } from '../../graph-tools/model.ts'
import { shareWeights } from '../../graph-tools/share-weights.ts'
import { applyEdits, type Edit } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { Failure } from '../failure.ts'
import { copyWhole, exists, formatBytes } from '../files.ts'
import { DECODERS, decoderData, EMBEDDINGS, graphFile, JSON_FILES, type Variant } from '../layout.ts'
import type { Run, Stage } from '../stages.ts'
import { identifySources } from '../stamp.ts'
import { exportFolder } from './export.ts'

/** Tensors below this stay inside the graphs. */
const SHARE_MINIMUM = 256
/** config.json is written by the quantize stage, which knows all variants. */
const COPIED = JSON_FILES.filter((name) => name !== 'config.json')

/** Native rewriting: no traces, no allowzero, encoder weights inside, decoder weights shared, embeddings FP16. */
export const rewriteStage: Stage = {
  name: 'rewrite',
  async inputs() {
    return { sources: await identifySources(['graph-tools', 'pipeline/stages']) }
  },
  outputs: ({ layout, options }) =>
    [
      ...(options.skipEncoder ? [] : [graphFile('encoder', '')]),
      ...(options.skipDecoder
        ? []
        : [...DECODERS.map((name) => graphFile(name, '')), decoderData(''), EMBEDDINGS]),
      ...COPIED,
    ].map((name) => join(layout.model, name)),
  async run(run) {
    const from = exportFolder(run.layout.work)
    if (await exists(join(from, 'encoder.onnx'))) await rewriteEncoder(run, from)
    if (await exists(join(from, 'decoder_init.onnx'))) await rewriteDecoders(run, from)
    for (const name of COPIED) await copyWhole(join(from, name), join(run.layout.model, name))
  },
}

/** Share the decoder graphs `paths` into the model directory's data file of one variant. */
export async function shareDecoders(
  run: Run,
  models: readonly Model[],
  folder: string,
  variant: Variant,
): Promise<void> {
  const location = decoderData(variant)
  const shared = await shareWeights(
    models.map((model) => ({ model, folder })),
    join(run.layout.model, location),
    location,
    {
      minimum: SHARE_MINIMUM,
      keep: [EMBEDDINGS],
      onProgress: (done, total) => {
        run.signal.throwIfAborted()
        run.emit({ event: 'progress', what: location, done, total, unit: 'bytes' })
      },
    },
  )
  for (const [i, model] of models.entries()) {
    const path = join(run.layout.model, graphFile(DECODERS[i] ?? '', variant))
    await writeWhole(path, applyEdits(model.bytes, shared.edits[i] ?? []))
  }
  run.emit({
    event: 'note',
    text: `${location}: ${shared.tensors} tensors of ${models.length} graphs, ${shared.stored} stored, ${formatBytes(shared.bytes)}`,
  })
}

export async function readModel(path: string): Promise<Model> {
  return parseModel(await readFile(path))
}

async function rewriteEncoder(run: Run, from: string): Promise<void> {
  const model = clean(run, await readModel(join(from, 'encoder.onnx')), 'encoder')
  const path = join(run.layout.model, graphFile('encoder', ''))
  await writeWhole(path, applyEdits(model.bytes, inlineWeights(model, from)))
}

async function rewriteDecoders(run: Run, from: string): Promise<void> {
  const models: Model[] = []
  for (const name of DECODERS) models.push(clean(run, await readModel(join(from, `${name}.onnx`)), name))
  const [init, ...others] = models
  if (init === undefined) throw new Failure('There is no decoder_init graph.')
  run.signal.throwIfAborted()
  const table = findEmbedding(init.graph)
  await writeEmbeddingFp16(init, table, from, join(run.layout.model, EMBEDDINGS))
  const halved = edited(init, readEmbeddingFp16(table, EMBEDDINGS))
  await shareDecoders(run, [halved, ...others], from, '')
}

/** Without the exporter's traces and without allowzero, which must all be provable in our own graphs. */
function clean(run: Run, model: Model, name: string): Model {
  const allowzero = stripAllowzero(model)
  if (allowzero.unproved.length > 0) {
    throw new Failure(
      `${name}: ${allowzero.unproved.length} Reshape nodes keep allowzero, since their shapes may hold a 0: ` +
        allowzero.unproved.slice(0, 5).join(', '),
      'Change the export graph so that their shapes are constants.',
    )
  }
  const cleaned = edited(model, [...stripTraces(model), ...allowzero.edits])
  const sizes = `${formatBytes(model.bytes.length)} to ${formatBytes(cleaned.bytes.length)}`
  run.emit({
    event: 'note',
    text: `${name}: traces stripped (${sizes}), allowzero removed from ${allowzero.stripped} nodes`,
  })
  return cleaned
}

/** The graph protos are a few megabytes, so the edited one is simply read again. */
function edited(model: Model, edits: readonly Edit[]): Model {
  const pieces = applyEdits(model.bytes, edits).map((piece) => {
    if (piece instanceof Uint8Array) return piece
    throw new Failure(`A range of ${dirname(piece.path)} cannot be held in memory.`)
  })
  return parseModel(Buffer.concat(pieces))
}
