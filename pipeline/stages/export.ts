import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointFiles } from '../checkpoint.ts'
import { exists, freshFolder, writeJson } from '../files.ts'
import { DECODERS } from '../layout.ts'
import { type PythonResult, runPython } from '../python.ts'
import type { Run, Stage } from '../stages.ts'
import { identify, identifySources } from '../stamp.ts'

/** PyTorch to ONNX: three graphs with their weights beside them, tokenizer and processor files. */
export const exportStage: Stage = {
  name: 'export',
  isTransient: true,
  async inputs({ checkpoint, options, python }) {
    const files = await checkpointFiles(checkpoint.folder)
    const identities = await Promise.all(files.map((file) => identify(join(checkpoint.folder, file))))
    const { device, opset, skipEncoder, skipDecoder } = options
    return {
      checkpoint: files.map((file, i) => [file, identities[i]]),
      sources: await identifySources([
        ...['python', 'pipeline/stages', 'pipeline/checkpoint.ts', 'pipeline/tensor-table.ts'],
        'pipeline/safetensors.ts',
      ]),
      python: (await python()).fingerprint,
      options: { device, opset, skipEncoder, skipDecoder },
    }
  },
  outputs: ({ layout, options }) => {
    const graphs = [
      ...(options.skipEncoder ? [] : ['encoder.onnx', 'encoder.data']),
      ...(options.skipDecoder ? [] : [...DECODERS.map((name) => `${name}.onnx`), 'decoder.data']),
    ]
    return [...graphs, ...PROCESSOR_FILES].map((name) => join(exportFolder(layout.work), name))
  },
  async run(run) {
    const out = exportFolder(run.layout.work)
    await freshFolder(out)
    await exportGraphs(run, out)
    await writeProcessorFiles(run, out)
  },
}

const PROCESSOR_FILES = ['preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'] as const

export function exportFolder(work: string): string {
  return join(work, 'export')
}

/** The checkpoint's description that the Python scripts read. */
export function checkpointFile(work: string): string {
  return join(work, 'checkpoint.json')
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
  const checkpoint = ['--checkpoint', checkpointFile(run.layout.work), '--out', out]
  return runPython(
    'export.py',
    [...checkpoint, '--opset', String(opset), '--device', device, skip],
    await pythonOptions(run, `export-${name}`),
  )
}

function noteOperators(run: Run, result: PythonResult): void {
  const operators = result['operators'] as Record<string, Record<string, number>>
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

export async function pythonOptions(run: Run, stage: string) {
  return {
    python: (await run.python()).path,
    log: run.layout.log(stage),
    signal: run.signal,
    onProgress: (progress: { what: string; done: number; total: number; unit: string }) =>
      run.emit({ ...progress, event: 'progress' }),
  }
}

async function writeProcessorFiles(run: Run, out: string): Promise<void> {
  const from = (name: string) => join(run.checkpoint.folder, name)
  await copyFile(from('tokenizer_config.json'), join(out, 'tokenizer_config.json'))
  if (await exists(from('tokenizer.json')))
    await copyFile(from('tokenizer.json'), join(out, 'tokenizer.json'))
  else
    await runPython('make_tokenizer.py', [run.checkpoint.folder, out], await pythonOptions(run, 'tokenizer'))
  if (await exists(from('preprocessor_config.json'))) {
    await copyFile(from('preprocessor_config.json'), join(out, 'preprocessor_config.json'))
  } else
    await writeJson(
      join(out, 'preprocessor_config.json'),
      await featureExtractorConfig(from('processor_config.json')),
    )
}

/** transformers 5 nests the feature extractor in processor_config.json; readers want it in a file of its own. */
async function featureExtractorConfig(processorConfig: string): Promise<object> {
  const text = await readFile(processorConfig, 'utf8').catch(() => '{}')
  const { feature_extractor: extractor, processor_class: processor } = JSON.parse(text)
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
