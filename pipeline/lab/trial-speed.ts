// SPDX-License-Identifier: Apache-2.0

import { quantile } from '../../eval/bootstrap.ts'
import { describeMachine } from '../../eval/machine.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { argmax } from '../../eval/runtime/decoder.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import { encode, loadRecognizer, promptOf, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import type { JudgedClip } from './judged-clips.ts'
import type { TrialRecord } from './trial-record.ts'

const RUNS = 5
/** Steps of one run at most. */
const STEPS = 32

/**
 * Medians in milliseconds of the encoder, the prompt and a step, on one clip, as `transcribe` runs them. The first run
 * is left out.
 * @param clips of which the one of middle length is taken
 */
export async function measureSpeed(
  folder: string,
  variant: string,
  clips: readonly JudgedClip[],
  threads: number,
  signal: AbortSignal,
): Promise<TrialRecord['speed']> {
  const byLength = [...clips].sort((a, b) => a.seconds - b.seconds)
  const { path } = byLength[Math.floor(byLength.length / 2)] as JudgedClip
  const mel = logMel((await loadClip(path, signal)).samples)
  const recognizer = await loadRecognizer(folder, { variant, layout: 'fused', threads, isSteady: true })
  const times = { encoder: [] as number[], prompt: [] as number[], step: [] as number[] }
  try {
    const { decoder, config } = recognizer
    for (let run = 0; run <= RUNS; run++) {
      signal.throwIfAborted()
      const [features, encoder] = await timed(() => encode(recognizer, mel))
      const prompt = promptOf(recognizer, features)
      const [first, prefill] = await timed(() => decoder.prefill([{ prompt, features }]))
      const steps: number[] = []
      let token = argmax(first, 0, config.vocabSize)
      while (steps.length < STEPS && (steps.length === 0 || !config.endIds.includes(token))) {
        const [logits, step] = await timed(() => decoder.step([token]))
        steps.push(step)
        token = argmax(logits, 0, config.vocabSize)
      }
      decoder.clear()
      if (run === 0) continue
      times.encoder.push(encoder)
      times.prompt.push(prefill)
      times.step.push(...steps)
    }
  } finally {
    await releaseRecognizer(recognizer)
  }
  return {
    ...{ stepMs: median(times.step), promptMs: median(times.prompt), encoderMs: median(times.encoder) },
    ...{ threads, machine: describeMachine(threads) },
  }
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now()
  const result = await work()
  return [result, performance.now() - started]
}

function median(values: readonly number[]): number {
  return Number(
    quantile(
      [...values].sort((a, b) => a - b),
      0.5,
    ).toFixed(3),
  )
}
