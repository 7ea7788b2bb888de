// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import {
  decoderData,
  EMBEDDINGS,
  ENCODER,
  FAMILIES,
  FP32,
  graphFile,
  JSON_FILES,
} from '../../eval/runtime/graphs.ts'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { commit } from '../../graph-tools/commit.ts'
import { type EmbeddingPlan, planEmbedding } from '../../graph-tools/embed-fp16.ts'
import { inlineWeights } from '../../graph-tools/externalize.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { applyEdits, contentLength, type Edit } from '../../graph-tools/splice.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { alignDecoder } from '../alignment/align-decoder.ts'
import { type Alignment, alignmentFile, writeAlignment } from '../alignment/alignment-file.ts'
import { FAMILY_ROWS } from '../families.ts'
import { CALIBRATION_SPEECH } from '../models.ts'
import { type Prepared, progressOf, shareDecoders } from '../quantize/share-decoders.ts'
import { releaseConfig } from '../release/write-config.ts'
import { Failure } from '../shared/failure.ts'
import { copyWhole, exists, formatBytes, writeJson } from '../shared/output-files.ts'
import { exportFolder } from './export-stage.ts'
import type { Run, Stage } from './stage.ts'
import { identifyFolder } from './stamp.ts'

/** config.json is written by the quantize stage, for all variants. */
const COPIED = JSON_FILES.filter((name) => name !== 'config.json')

/** Native rewriting: no traces, no allowzero, encoder weights inside, decoder weights shared, embeddings FP16. */
export const rewriteStage: Stage = {
  name: 'rewrite',
  // which heads follow speech is found out with it
  inputs: async () => ({ speech: await identifyFolder(CALIBRATION_SPEECH) }),
  outputs: ({ paths, options }) =>
    [
      ...(options.skipEncoder ? [] : [graphFile(ENCODER, FP32)]),
      ...(options.skipDecoder ? [] : decodersOf(options)),
      ...COPIED,
    ]
      .map((name) => join(paths.model, name))
      .concat(options.skipDecoder ? [] : [alignmentFile(paths.work)]),
  async run(run) {
    const from = exportFolder(run.paths.work)
    if (await exists(join(from, graphFile(ENCODER, FP32)))) await rewriteEncoder(run, from)
    const [first = ''] = FAMILIES[run.options.family].graphs
    if (await exists(join(from, graphFile(first, FP32)))) await rewriteDecoders(run, from)
    for (const name of COPIED) await copyWhole(join(from, name), join(run.paths.model, name))
    if (!run.options.skipDecoder) await writeAlignment(run.paths.work, await align(run))
  },
}

/** The speech has to be encoded for it. */
async function align(run: Run): Promise<Alignment | undefined> {
  const { options, paths, checkpoint, emit, signal } = run
  if (options.skipEncoder || !FAMILY_ROWS[options.family].hasAlignment) return undefined
  // FP32 can be run then; the quantize stage writes that of all variants
  const config = releaseConfig(checkpoint, await readTokenizer(paths.model), new Map([[FP32, undefined]]), {})
  await writeJson(join(paths.model, 'config.json'), config)
  const { threads } = options
  return alignDecoder({ ...{ folder: paths.model, checkpoint, threads, emit, signal } })
}

function decodersOf({ family }: Run['options']): string[] {
  const graphs = FAMILIES[family].graphs.map((name) => graphFile(name, FP32))
  return [...graphs, decoderData(FP32, family), EMBEDDINGS]
}

async function rewriteEncoder(run: Run, from: string): Promise<void> {
  const model = openModel(join(from, graphFile(ENCODER, FP32)))
  const name = graphFile(ENCODER, FP32)
  const { edits } = await inlineWeights(model)
  const content = applyEdits(model.bytes, [...clean(run, model, 'encoder'), ...(edits[0] ?? [])])
  await commit(run.paths.model, [{ path: join(run.paths.model, name), content }], progressOf(run, name))
}

async function rewriteDecoders(run: Run, from: string): Promise<void> {
  const { family } = run.options
  const names = FAMILIES[family].graphs
  const models = names.map((name) => openModel(join(from, graphFile(name, FP32))))
  const plan = await embeddingsOf(run, from, models)
  const graphs = models.map((model, i): Prepared => {
    const name = names[i] as string
    const cleaned = clean(run, model, name)
    return { name, model, edits: [...cleaned, ...(plan.edits[i] ?? [])], except: plan.gone }
  })
  await shareDecoders({ ...run, family, folder: run.paths.model }, graphs, FP32, plan.data)
}

/** The embedding table is in a graph, or has been exported as it is. */
async function embeddingsOf(
  run: Run,
  from: string,
  models: readonly Model[],
): Promise<Pick<EmbeddingPlan, 'edits' | 'gone' | 'data'>> {
  const { exported } = FAMILY_ROWS[run.options.family]
  if (!exported.includes(EMBEDDINGS))
    return planEmbedding(models, { folder: run.paths.model, location: EMBEDDINGS })
  await copyWhole(join(from, EMBEDDINGS), join(run.paths.model, EMBEDDINGS))
  return { edits: [], gone: new Set(), data: [] }
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
