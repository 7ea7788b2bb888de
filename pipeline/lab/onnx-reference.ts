// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onnxruntimeVersion } from '../../eval/machine.ts'
import { readReference, readReferenceIndex } from '../../eval/reference.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { argmax } from '../../eval/runtime/decoder.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { tokenLimit } from '../../eval/runtime/limits.ts'
import { logMel, MEL_BINS } from '../../eval/runtime/mel.ts'
import {
  encode,
  loadRecognizer,
  promptOf,
  type Recognizer,
  releaseRecognizer,
} from '../../eval/runtime/recognizer.ts'
import { renameOver } from '../../graph-tools/rename-over.ts'
import type { ParityClip } from '../gates/gate.ts'
import type { Emit } from '../shared/events.ts'
import { exists, writeJson } from '../shared/output-files.ts'
import { bytesOf, type JudgedClip, type JudgedClips } from './judged-clips.ts'

/** Every step's logits are kept, up to this many bytes a clip. */
const LOGIT_BYTES = 64e6
const FORMAT = 1

/** How references of FP32's graphs are made. */
export interface ReferenceOptions {
  /** release directory */
  readonly model: string
  /** holds the references by key */
  readonly references: string
  /** of FP32's files */
  readonly fp32: string
  readonly threads: number
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * What FP32's ONNX graphs compute along their own greedy tokens, made when it is not there yet. A run that is killed
 * leaves none: it is made beside its place.
 * @returns the folder, which eval/reference.ts reads
 */
export async function onnxReference(judged: JudgedClips, options: ReferenceOptions): Promise<string> {
  const key = createHash('sha256')
    .update(JSON.stringify([FORMAT, options.fp32, judged.fingerprint, onnxruntimeVersion()]))
    .digest('hex')
    .slice(0, 16)
  const folder = join(options.references, key)
  if (await exists(join(folder, 'index.json'))) return folder
  const beside = `${folder}.partial`
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { recursive: true })
  try {
    await writeReference(judged.clips, beside, options)
    await rm(folder, { recursive: true, force: true })
    await renameOver(beside, folder)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    throw error
  }
  return folder
}

async function writeReference(
  clips: readonly JudgedClip[],
  folder: string,
  { model, threads, emit, signal }: ReferenceOptions,
): Promise<void> {
  const recognizer = await loadRecognizer(model, { variant: FP32, layout: 'fused', threads })
  try {
    const entries: object[] = []
    for (const [i, clip] of clips.entries()) {
      signal.throwIfAborted()
      entries.push(await writeClip(recognizer, clip, folder, i, signal))
      emit({ event: 'progress', what: 'reference', done: i + 1, total: clips.length, unit: 'clips' })
    }
    const versions = { 'onnxruntime-node': onnxruntimeVersion() }
    await writeJson(join(folder, 'index.json'), { clips: entries, versions })
  } finally {
    await releaseRecognizer(recognizer)
  }
}

async function writeClip(
  recognizer: Recognizer,
  { id, path, seconds }: JudgedClip,
  folder: string,
  i: number,
  signal: AbortSignal,
): Promise<object> {
  const { samples } = await loadClip(path, signal)
  const mel = logMel(samples)
  const features = await encode(recognizer, mel)
  const prompt = promptOf(recognizer, features)
  const { hiddenSize, vocabSize } = recognizer.config
  const rows = Math.max(1, Math.floor(LOGIT_BYTES / (4 * vocabSize)))
  const { tokens, logits } = await greedy(recognizer, { prompt, features }, tokenLimit(seconds), rows, signal)
  const put = async (name: string, data: Float32Array, shape: readonly number[]) => {
    const file = `${String(i).padStart(4, '0')}.${name}.f32`
    await writeFile(join(folder, file), bytesOf(data))
    return { file, shape }
  }
  return {
    ...{ id, prompt_ids: prompt.ids, tokens },
    mel: await put('mel', mel.data, [MEL_BINS, mel.frames]),
    features: await put('features', features, [features.length / hiddenSize, hiddenSize]),
    logits: await put('logits', logits, [logits.length / vocabSize, vocabSize]),
  }
}

/** Greedy tokens, the end token included, and the logits [rows, V] that predict the first of them. */
async function greedy(
  { decoder, config: { endIds, vocabSize } }: Recognizer,
  input: Parameters<Recognizer['decoder']['prefill']>[0][number],
  limit: number,
  rows: number,
  signal: AbortSignal,
): Promise<{ tokens: number[]; logits: Float32Array }> {
  const tokens: number[] = []
  const kept: Float32Array[] = []
  try {
    let logits = await decoder.prefill([input])
    for (;;) {
      signal.throwIfAborted()
      if (kept.length < rows) kept.push(logits.slice(0, vocabSize))
      const token = argmax(logits, 0, vocabSize)
      tokens.push(token)
      if (endIds.includes(token) || tokens.length === limit) break
      logits = await decoder.step([token])
    }
  } finally {
    decoder.clear()
  }
  const all = new Float32Array(kept.length * vocabSize)
  for (const [i, row] of kept.entries()) all.set(row, i * vocabSize)
  return { tokens, logits: all }
}

/**
 * Each clip with what FP32 made of it, one in memory at a time.
 * @throws RangeError when the folder's references are of other clips, SpeechError when one cannot be read, or the signal's
 *   reason
 */
export async function* referenceClips(
  { clips }: Pick<JudgedClips, 'clips'>,
  folder: string,
  signal: AbortSignal,
  onClip: (done: number) => void = () => undefined,
): AsyncGenerator<ParityClip> {
  const { clips: entries } = await readReferenceIndex(folder)
  for (const [i, { id, path }] of clips.entries()) {
    signal.throwIfAborted()
    const entry = entries[i]
    if (entry?.id !== id) throw new RangeError(`${folder} is of other clips than ${id}.`)
    const { samples } = await loadClip(path, signal)
    yield { samples, isUtterance: true, reference: await readReference(folder, entry) }
    onClip(i + 1)
  }
}
