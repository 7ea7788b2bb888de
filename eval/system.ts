// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { type Engine, identifyEngine, runEngine } from './engine.ts'
import type { HotwordLists } from './hotwords/hotwords.ts'
import { onnxruntimeVersion } from './machine.ts'
import { startPool } from './pool.ts'
import type { UtteranceRecord } from './record.ts'
import type { SystemDescription } from './run-description.ts'
import { chooseWay } from './runtime/decoder.ts'
import { defined } from './runtime/defined.ts'
import { usefulJobs } from './runtime/job-queue.ts'
import type { Recognition } from './runtime/recognize.ts'
import type { Release } from './runtime/release.ts'
import { workOf } from './runtime/timing.ts'
import { startWorker, type WorkerSetup } from './runtime/worker-client.ts'
import { identifySources } from './sources.ts'

/* What is measured: a variant of a release, or another engine. */

/** One utterance as a system recognized it. */
export type Transcription = Pick<
  UtteranceRecord,
  | 'seconds'
  | 'samples'
  | 'text'
  | 'language'
  | 'words'
  | 'compute'
  | 'pieces'
  | 'timing'
  | 'warnings'
  | 'doubts'
>

/** What is said to a system beside the recording. */
export interface TranscriberOptions {
  readonly signal: AbortSignal
  /** of this utterance; undefined: that of all, if there is one */
  readonly context?: string | undefined
  /** what is said in it; for aligners alone */
  readonly reference: string
  /** that the dataset is known to be in, by ISO code; for aligners alone */
  readonly language?: string | undefined
}

/** A system made ready. */
export interface Transcriber {
  /** how many utterances at once */
  readonly size: number
  readonly loadSeconds?: number
  /** @throws SpeechError when this utterance cannot be transcribed */
  transcribe(path: string, options: TranscriberOptions): Promise<Transcription>
  /** bytes since it was started */
  peakMemory?(): number
  close(): Promise<void>
}

/** Something that is measured: a variant of a recognizer or of a forced aligner, or another engine for comparison. */
export interface System extends SystemDescription {
  /** given to it as contexts, each with its utterance */
  readonly hotwords?: HotwordLists
  start(): Promise<Transcriber>
}

/** How a release is measured; `bytes` counts files on disk. */
export interface ModelOptions extends Omit<WorkerSetup, 'layout' | 'warmUp'> {
  readonly name: string
  /** size of the variant's files */
  readonly bytes: number
  /** identifies the variant's files by content */
  readonly fingerprint: string
  readonly workers: number
  readonly isSteady: boolean
  readonly provider: string
  readonly hotwords?: HotwordLists | undefined
}

/** What decides about the text: a change of it makes other results. */
const DECODER = ['eval/runtime/worker.ts']

/** A variant of a recognizer's release, in worker threads of its own. */
export async function modelSystem(release: Release, model: ModelOptions): Promise<System> {
  const { name, folder, bytes, fingerprint, threads, workers, batch, isSteady, provider, options, hotwords } =
    model
  const source = { release, variant: release.variant(model.variant) }
  const { layout, prefill } = chooseWay(source, model)
  const variant = source.variant.name
  const settings = {
    ...{ variant, layout, prefill, fingerprint, threads, workers, batch },
    ...(layout === 'fused' && { steady: isSteady }),
    provider,
    ...options,
    onnxruntime: onnxruntimeVersion(),
    decoder: (await identifySources(DECODER)).slice(0, 16),
    ...(hotwords && { hotwords: hotwords.id }),
  }
  const start = async (): Promise<Transcriber> => {
    const setup = { folder, variant, threads, provider, layout, prefill, batch, isSteady, options }
    const pool = await startPool({
      ...{ count: workers, places: usefulJobs(batch) },
      start: () => startWorker({ ...setup, warmUp: true }),
      end: (worker) => worker.close(),
    })
    return {
      ...pool,
      async transcribe(path, { signal, context }) {
        const own = defined({ context })
        const heard = await pool.run((worker) => worker.transcribe({ path }, { signal, options: own }))
        const { seconds, sha256: samples, notes, recognition } = heard
        return { seconds, samples, ...(notes.length > 0 && { warnings: notes }), ...flatten(recognition) }
      },
    }
  }
  return {
    name,
    kind: 'model',
    bytes,
    settings,
    setting: settingOf(settings),
    start,
    ...defined({ hotwords }),
  }
}

/**
 * A command line; `workers` of them at once.
 * @param timeout seconds for one clip
 * @throws SpeechError when there is no such program
 */
export async function engineSystem(engine: Engine, workers: number, timeout: number): Promise<System> {
  const settings = { command: engine.command, program: await identifyEngine(engine), workers }
  const start = async (): Promise<Transcriber> => ({
    size: workers,
    transcribe: async (path, { signal }) => ({
      ...(await runEngine(engine, path, timeout, signal)),
      pieces: [],
    }),
    close: async () => {},
  })
  return { name: engine.name, kind: 'engine', settings, setting: settingOf(settings), start }
}

function flatten({ text, language, pieces }: Recognition): Omit<Transcription, 'seconds'> {
  const compute = pieces.reduce((sum, { timing }) => sum + workOf(timing), 0)
  const records = pieces.map(({ tokens: _, text: __, speech: ___, words: ____, ...rest }) => rest)
  const isTimed = pieces.some(({ words }) => words !== undefined)
  const words = isTimed ? pieces.flatMap((piece) => piece.words ?? []) : undefined
  return { text, compute, pieces: records, ...defined({ language, words }) }
}

/** Sixteen hexadecimal digits that stand for an object's JSON. */
export function settingOf(settings: object): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16)
}
