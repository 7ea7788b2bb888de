// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { differenceOf } from '../../eval/difference.ts'
import { peakMemory } from '../../eval/memory.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { joinTranscripts, piecesOf, splitPoints } from '../../eval/runtime/audio/pieces.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { ENCODER } from '../../eval/runtime/graphs.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { graphPath, openRelease } from '../../eval/runtime/release.ts'
import { parseTranscript } from '../../eval/runtime/transcript.ts'
import { writeFloats } from '../shared/output-files.ts'
import { encodePiece, type Features, type Heard, hearPiece } from './hear-piece.ts'
import type { ClipPart, ClipsQuestion, HeardClip } from './heard-clip.ts'
import { answerQuestion, type Said } from './provider-process.ts'
import { nvidiaMemory } from './system-devices.ts'

/* The child of hear-clips.ts: what a provider makes of clips, and how far that is from what the processor made of them. */

/** Features of each encoder and piece: variants may have the same encoder, which takes most of the time. */
type KnownFeatures = Map<string, Features>

answerQuestion<ClipsQuestion, ClipPart>(async (question, tell) => {
  const known: KnownFeatures = new Map()
  for (const variant of question.variants) {
    try {
      await hearAll(question, variant, known, tell)
    } catch (error) {
      tell({ part: { variant, problem: (error as Error).message } })
    }
  }
  const device = question.provider === 'cuda' ? await nvidiaMemory(process.pid) : undefined
  tell({ part: { host: peakMemory(), ...(device !== undefined && { device }) } })
})

async function hearAll(
  question: ClipsQuestion,
  variant: string,
  known: KnownFeatures,
  tell: (said: Said<ClipPart>) => void,
): Promise<void> {
  const { folder, provider, threads, clips } = question
  tell({ begin: `it loaded ${variant}` })
  // The processor's prompts in 8 bits are another way: what is compared is the same on both sides.
  const recognizer = await loadRecognizer(folder, { variant, provider, threads, prefill: 'same' })
  const encoder = await encoderOf(folder, variant)
  try {
    const [first] = clips
    tell({ begin: `it transcribed its first clip with ${variant}` })
    if (first) await hear(recognizer, await piecesOfFile(first.file), '', new Map()) // makes the shaders
    for (const [index, clip] of clips.entries()) {
      tell({ begin: `it transcribed ${clip.id} with ${variant}` })
      const pieces = await piecesOfFile(clip.file)
      const heard = await hear(recognizer, pieces, `${encoder} ${index}`, known)
      const seconds = pieces.reduce((sum, { length }) => sum + length, 0) / SAMPLE_RATE
      const difference = await settle(question, variant, index, heard, recognizer.config.vocabSize)
      tell({ part: { variant, index, heard: { ...summed(recognizer, heard, seconds), ...difference } } })
    }
  } finally {
    await releaseRecognizer(recognizer)
  }
}

async function encoderOf(folder: string, name: string): Promise<string> {
  const release = await openRelease(folder, 'asr')
  const graph = await readFile(graphPath(release, release.variant(name), ENCODER))
  return createHash('sha256').update(graph).digest('hex')
}

async function piecesOfFile(file: string): Promise<Float32Array[]> {
  const { samples } = await loadClip(file)
  return piecesOf(samples, splitPoints(samples))
}

async function hear(
  recognizer: Recognizer,
  pieces: readonly Float32Array[],
  key: string,
  known: KnownFeatures,
): Promise<Heard[]> {
  const heard: Heard[] = []
  for (const [i, samples] of pieces.entries()) {
    const name = `${key} ${i}`
    const features = known.get(name) ?? (await encodePiece(recognizer, samples))
    known.set(name, features)
    heard.push(await hearPiece(recognizer, features, samples.length / SAMPLE_RATE))
  }
  return heard
}

/** The processor's arrays are written for the others, which are compared with them. */
async function settle(
  { reference, wanted, scratch }: ClipsQuestion,
  variant: string,
  index: number,
  heard: readonly Heard[],
  vocab: number,
): Promise<Pick<HeardClip, 'difference'>> {
  const file = (piece: number, what: string) => join(scratch, `${variant}-${index}-${piece}-${what}.f32`)
  if (reference === 'write') {
    for (const [piece, { features, logits }] of heard.entries()) {
      await writeFloats(file(piece, 'features'), features)
      await writeFloats(file(piece, 'logits'), logits)
    }
    return {}
  }
  const tokens = wanted[variant]?.[index] ?? []
  let [features, logits] = [0, 0]
  let problem: string | undefined
  const sides = { found: 'the provider', wanted: 'the processor' }
  for (const [piece, own] of heard.entries()) {
    const other = tokens[piece] ?? []
    const same = own.tokens.findIndex((token, i) => token !== other[i])
    // the position at which they part is still on the same tokens
    const rows = same < 0 ? own.logits.length / vocab : same + 1
    const [f, l] = [await readFloats(file(piece, 'features')), await readFloats(file(piece, 'logits'))]
    const length = Math.min(rows * vocab, l.length, own.logits.length)
    const [a, b] = [
      differenceOf(own.features, f, sides),
      differenceOf(own.logits.subarray(0, length), l.subarray(0, length), sides),
    ]
    problem ??= a.problem ?? b.problem
    features = Math.max(features, a.worst)
    logits = Math.max(logits, b.worst)
  }
  return { difference: { features, logits, ...(problem !== undefined && { problem }) } }
}

async function readFloats(path: string): Promise<Float32Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path)
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))
}

function summed(
  { tokenizer }: Recognizer,
  heard: readonly Heard[],
  seconds: number,
): Omit<HeardClip, 'difference'> {
  const sum = (key: keyof Heard['timing']) => heard.reduce((all, { timing }) => all + timing[key], 0)
  return {
    text: joinTranscripts(heard.map(({ tokens }) => parseTranscript(tokenizer.decode(tokens)).text)),
    tokens: heard.map(({ tokens }) => tokens),
    seconds,
    steps: heard.reduce((all, { steps }) => all + steps, 0),
    timing: {
      mel: sum('mel'),
      encoder: sum('encoder'),
      prefill: sum('prefill'),
      decode: sum('decode'),
    },
  }
}
