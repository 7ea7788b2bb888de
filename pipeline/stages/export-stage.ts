// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FAMILIES } from '../../eval/runtime/graphs.ts'
import { dictionary, number, section } from '../../eval/runtime/schema.ts'
import { fileOf, readCheckpointJson } from '../checkpoint/checkpoint-files.ts'
import { FAMILY_ROWS } from '../families.ts'
import { checkedResult, type PythonResult, runPython } from '../python/run-python.ts'
import { freshFolder, writeJson } from '../shared/output-files.ts'
import { checkpointFile } from '../shared/paths.ts'
import { mergeOwnWeights, weightInputs } from './own-weights.ts'
import type { Run, Stage } from './stage.ts'

/** PyTorch to ONNX: the graphs with their weights beside them, tokenizer and processor files. */
export const exportStage: Stage = {
  name: 'export',
  isTransient: true,
  async inputs(run) {
    const { options, python } = run
    const { device, opset, skipEncoder, skipDecoder } = options
    return {
      ...(await weightInputs(run)),
      python: (await python()).fingerprint,
      options: { device, opset, skipEncoder, skipDecoder },
    }
  },
  outputs: ({ paths, options }) => {
    const { graphs: decoders } = FAMILIES[options.family]
    const rest = [
      ...decoders.map((name) => `${name}.onnx`),
      'decoder.data',
      ...FAMILY_ROWS[options.family].exported,
    ]
    const graphs = [
      ...(options.skipEncoder ? [] : ['encoder.onnx', 'encoder.data']),
      ...(options.skipDecoder ? [] : rest),
    ]
    return [...graphs, ...PROCESSOR_FILES].map((name) => join(exportFolder(paths.work), name))
  },
  async run(run) {
    const out = exportFolder(run.paths.work)
    await freshFolder(out)
    await mergeOwnWeights(run)
    await exportGraphs(run, out)
    await writeProcessorFiles(run, out)
  },
}

const PROCESSOR_FILES = ['preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'] as const

/** Where the exported graphs are until they are rewritten. */
export function exportFolder(work: string): string {
  return join(work, 'export')
}

/** The encoder and the decoders at once: tracing runs on one core. When one fails the other is stopped. */
async function exportGraphs(run: Run, out: string): Promise<void> {
  const { skipEncoder, skipDecoder } = run.options
  const failed = new AbortController()
  const signal = AbortSignal.any([run.signal, failed.signal])
  const part = (skip: string, name: string) =>
    exportPart({ ...run, signal }, out, skip, name).catch((error) => {
      failed.abort(error)
      throw error
    })
  const results = await Promise.allSettled([
    ...(skipEncoder ? [] : [part('--skip-decoder', 'encoder')]),
    ...(skipDecoder ? [] : [part('--skip-encoder', 'decoders')]),
  ])
  run.signal.throwIfAborted()
  if (failed.signal.aborted) throw failed.signal.reason
  for (const result of results) if (result.status === 'fulfilled') noteOperators(run, result.value)
}

async function exportPart(run: Run, out: string, skip: string, name: string): Promise<PythonResult> {
  const { opset, device } = run.options
  const checkpoint = ['--checkpoint', checkpointFile(run.paths.work), '--out', out]
  return runPython(
    'export/export.py',
    [...checkpoint, '--opset', String(opset), '--device', device, skip],
    await pythonOptions(run, `export-${name}`),
  )
}

/** Of each graph, how often each operator stands in it. */
const EXPORTED = section({ operators: dictionary(dictionary(number)) })

function noteOperators(run: Run, result: PythonResult): void {
  const { operators } = checkedResult(EXPORTED, result, 'export/export.py')
  for (const [graph, counts] of Object.entries(operators)) {
    const fused = Object.entries(counts).filter(([name]) => FUSED.has(name))
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
    run.emit({
      event: 'note',
      text: `${graph}: ${total} nodes, fused: ${fused.map(([n, c]) => `${c} ${n}`).join(', ')}`,
    })
  }
}

const FUSED = new Set([
  'SimplifiedLayerNormalization',
  'SkipSimplifiedLayerNormalization',
  'SkipLayerNormalization',
  'BiasGelu',
  'Gelu',
  'RotaryEmbedding',
])

/** What every call of Python by a stage has: the interpreter, the stage's log, its signal and progress. */
export async function pythonOptions(run: Run, stage: string) {
  return {
    python: (await run.python()).path,
    log: run.paths.log(stage),
    signal: run.signal,
    onProgress: (progress: { what: string; done: number; total: number; unit: string }) =>
      run.emit({ ...progress, event: 'progress' }),
    onNote: (text: string) => run.emit({ event: 'note', text }),
  }
}

async function writeProcessorFiles(run: Run, out: string): Promise<void> {
  const { folder } = run.checkpoint
  await copyJson(folder, out, 'tokenizer_config.json')
  if (!(await copyJson(folder, out, 'tokenizer.json')))
    await runPython('export/make_tokenizer.py', [folder, out], await pythonOptions(run, 'tokenizer'))
  if (!(await copyJson(folder, out, 'preprocessor_config.json')))
    await writeJson(join(out, 'preprocessor_config.json'), await featureExtractorConfig(folder))
}

/** Without a byte order mark, which most readers refuse. @returns false when there is no such file */
async function copyJson(folder: string, out: string, name: string): Promise<boolean> {
  const path = await fileOf(folder, name)
  if (path === undefined) return false
  const text = await readFile(path, 'utf8')
  await writeFile(join(out, name), text.replace(/^\uFEFF/, ''))
  return true
}

/** transformers 5 nests the feature extractor in processor_config.json; programs read it in a file of its own. */
async function featureExtractorConfig(folder: string): Promise<object> {
  const config = await readCheckpointJson(folder, 'processor_config.json')
  const { feature_extractor: extractor, processor_class: processor } = config ?? {}
  return { ...(extractor ?? DEFAULT_EXTRACTOR), processor_class: processor ?? 'Qwen3ASRProcessor' }
}

const DEFAULT_EXTRACTOR = {
  feature_extractor_type: 'Qwen3ASRFeatureExtractor',
  feature_size: 128,
  sampling_rate: 16000,
  hop_length: 160,
  n_fft: 400,
  padding_side: 'right',
  padding_value: 0,
  return_attention_mask: true,
}
