import { join } from 'node:path'
import {
  DECODERS,
  decoderData,
  EMBEDDINGS,
  ENCODER,
  FP32,
  graphFile,
  JSON_FILES,
} from '../../eval/runtime/graphs.ts'
import { type CommitOptions, commit, type FileChange } from '../../graph-tools/commit.ts'
import { planEmbedding } from '../../graph-tools/embed-fp16.ts'
import { inlineWeights } from '../../graph-tools/externalize.ts'
import { type Model, openModel, type Tensor } from '../../graph-tools/model.ts'
import { SHARE_MINIMUM, shareWeights } from '../../graph-tools/share.ts'
import { applyEdits, contentLength, type Edit } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { Failure } from '../shared/failure.ts'
import { copyWhole, exists, formatBytes } from '../shared/output-files.ts'
import { exportFolder } from './export-stage.ts'
import type { Run, Stage } from './stage.ts'

/** config.json is written by the quantize stage, which knows all variants. */
const COPIED = JSON_FILES.filter((name) => name !== 'config.json')

/** Native rewriting: no traces, no allowzero, encoder weights inside, decoder weights shared, embeddings FP16. */
export const rewriteStage: Stage = {
  name: 'rewrite',
  inputs: async () => ({}),
  outputs: ({ paths, options }) =>
    [
      ...(options.skipEncoder ? [] : [graphFile(ENCODER, FP32)]),
      ...(options.skipDecoder
        ? []
        : [...DECODERS.map((name) => graphFile(name, FP32)), decoderData(FP32), EMBEDDINGS]),
      ...COPIED,
    ].map((name) => join(paths.model, name)),
  async run(run) {
    const from = exportFolder(run.paths.work)
    if (await exists(join(from, graphFile(ENCODER, FP32)))) await rewriteEncoder(run, from)
    if (await exists(join(from, graphFile(DECODERS[0], FP32)))) await rewriteDecoders(run, from)
    for (const name of COPIED) await copyWhole(join(from, name), join(run.paths.model, name))
  },
}

/** Edits that go along with sharing: of one graph, with the tensors that they take care of. */
interface Prepared {
  /** as in the file names */
  readonly name: string
  readonly model: Model
  readonly edits: readonly Edit[]
  readonly except?: ReadonlySet<Tensor>
}

/** Share the weights of the decoder graphs in the model directory's data file of one variant, and write the graphs. */
export async function shareDecoders(
  run: Run,
  graphs: readonly Prepared[],
  variant: string,
  more: readonly FileChange[] = [],
): Promise<void> {
  const folder = run.paths.model
  const location = decoderData(variant)
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
  await commit(folder, [...shared.data, ...more, ...changes], progressOf(run, location))
  run.emit({
    event: 'note',
    text: `${location}: ${shared.tensors} tensors of ${graphs.length} graphs, ${shared.stored} stored, ${formatBytes(shared.bytes)}`,
  })
}

async function rewriteEncoder(run: Run, from: string): Promise<void> {
  const model = openModel(join(from, graphFile(ENCODER, FP32)))
  const name = graphFile(ENCODER, FP32)
  const { edits } = await inlineWeights(model)
  const content = applyEdits(model.bytes, [...clean(run, model, 'encoder'), ...(edits[0] ?? [])])
  await commit(run.paths.model, [{ path: join(run.paths.model, name), content }], progressOf(run, name))
}

async function rewriteDecoders(run: Run, from: string): Promise<void> {
  const models = DECODERS.map((name) => openModel(join(from, graphFile(name, FP32))))
  const plan = await planEmbedding(models, { folder: run.paths.model, location: EMBEDDINGS })
  const graphs = models.map((model, i): Prepared => {
    const name = DECODERS[i] as string
    const cleaned = clean(run, model, name)
    return { name, model, edits: [...cleaned, ...(plan.edits[i] ?? [])], except: plan.gone }
  })
  await shareDecoders(run, graphs, FP32, plan.data)
}

/** Edits that remove the exporter's traces and allowzero, which must be provable in our own graphs. */
function clean(run: Run, model: Model, name: string): Edit[] {
  const allowzero = stripAllowzero(model)
  if (allowzero.unproved.length > 0) {
    throw new Failure(
      `${name}: ${allowzero.unproved.length} Reshape nodes keep allowzero, since their shapes may hold a 0: ` +
        allowzero.unproved.slice(0, 5).join(', '),
      'Change the export graph so that their shapes are constants.',
    )
  }
  const edits = [...stripTraces(model), ...allowzero.edits]
  const sizes = [model.bytes.length, contentLength(applyEdits(model.bytes, edits))].map(formatBytes)
  run.emit({
    event: 'note',
    text: `${name}: traces stripped (${sizes.join(' to ')}), allowzero removed from ${allowzero.stripped} nodes`,
  })
  return edits
}

function progressOf(run: Run, what: string): CommitOptions {
  return {
    onProgress: (done, total) => {
      run.signal.throwIfAborted()
      run.emit({ event: 'progress', what, done, total, unit: 'bytes' })
    },
  }
}
