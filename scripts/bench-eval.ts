// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSpeechFolder } from '../eval/dataset/folder-dataset.ts'
import { describeMachine } from '../eval/machine.ts'
import { loadClip } from '../eval/runtime/audio/clip.ts'
import { resample } from '../eval/runtime/audio/resample.ts'
import { SAMPLE_RATE } from '../eval/runtime/audio/sample-rate.ts'
import { encodeWav } from '../eval/runtime/audio/wav.ts'
import { logMel } from '../eval/runtime/mel.ts'
import { InferenceSession } from '../eval/runtime/onnxruntime.ts'
import { recognize } from '../eval/runtime/recognize.ts'
import { loadRecognizer, type Recognizer } from '../eval/runtime/recognizer.ts'
import { type CommandLine, number, type OptionsOf, SHARED, text } from '../pipeline/commands/arguments.ts'
import { BUNDLED_SPEECH } from '../pipeline/models.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { median } from './median.ts'
import { script } from './run-script.ts'

/*
 * What evaluation costs around the model: audio decoding, resampling, mel, and everything of the decoding loop that is
 * not onnxruntime:
 *   npm run bench -- eval --model-dir output/qwen3-asr-0.6b
 * Medians; decoding and mel use one core.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- eval',
  usage: '[options]',
  about: 'Measure what evaluation costs around the model.',
}

const OPTIONS = {
  'model-dir': text('release directory; without it only audio and mel are measured'),
  variant: { ...text('fp32 or int4'), default: 'int4' },
  seconds: { ...number('length of the clip'), default: 11 },
  'new-tokens': {
    ...number('tokens to generate, as a model with random weights does not stop'),
    default: 30,
  },
  rounds: { ...number('of which the medians are'), default: 5 },
  threads: { ...SHARED.threads, default: 2 },
} as const
type Options = OptionsOf<typeof OPTIONS>

/** The benchmark `npm run bench -- eval`. */
export const run = script(LINE, OPTIONS, async (options) => {
  const files = (await readSpeechFolder(BUNDLED_SPEECH)).slice(0, 20).map(({ path }) => path ?? '')
  const clips = await Promise.all(files.map((path) => loadClip(path)))
  const speech = Float32Array.from(clips.flatMap(({ samples }) => [...samples]))
  await printAudio(files, speech, options)
  if (options.modelDir !== undefined) await printLoop(options.modelDir, speech, options)
  return EXIT.done
})

async function printAudio(files: readonly string[], speech: Float32Array, options: Options): Promise<void> {
  const seconds = speech.length / SAMPLE_RATE
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-bench-'))
  const wav = join(folder, 'speech.wav')
  await writeFile(wav, encodeWav(speech))
  const high = resample(speech, SAMPLE_RATE, 48000)
  const jobs: [string, number, () => unknown][] = [
    [
      `FLAC, ${files.length} files`,
      0,
      async () => {
        for (const path of files) await loadClip(path)
      },
    ],
    ['WAV, 16 bit', 0, () => loadClip(wav)],
    ['resampling from 48 kHz', 0, () => resample(high, 48000, SAMPLE_RATE)],
    ['log mel', 200, () => logMel(speech)],
  ]
  const rows: string[][] = []
  for (const [name, wanted, job] of jobs) {
    const took = await medianOf(job, options.rounds)
    const speed = seconds / took
    rows.push([name, `${(1000 * took).toFixed(1)} ms`, `${speed.toFixed(0)} x`, wanted ? `${wanted} x` : '-'])
  }
  await rm(folder, { recursive: true })
  print(
    `Audio: ${seconds.toFixed(1)} s of speech on one core`,
    ['work', 'time', 'of real time', 'wanted'],
    rows,
    options,
  )
}

async function printLoop(folder: string, speech: Float32Array, options: Options): Promise<void> {
  const { variant, threads, newTokens } = options
  const recognizer = await loadRecognizer(folder, { variant, threads })
  const inside = watchSessions()
  const count = Math.round(options.seconds * SAMPLE_RATE)
  const clip = Float32Array.from({ length: count }, (_, i) => speech[i % speech.length] ?? 0)
  const runs = []
  for (let round = 0; round <= options.rounds; round++)
    runs.push(await oneRun(recognizer, clip, inside, newTokens))
  const warm = runs.slice(1).sort((a, b) => a.total - b.total)
  const middle = warm[warm.length >> 1]
  if (!middle) throw new Error('--rounds must be at least 1')
  const { total, sessions, tokens } = middle
  const around = total - sessions
  print(
    `The whole loop: ${options.seconds} s of audio, ${tokens} new tokens, variant ${variant}, ${threads} threads`,
    ['part', 'time', 'share', 'wanted'],
    [
      [
        `encoder and decoder, ${recognizer.decoder.layout} layout`,
        `${(1000 * sessions).toFixed(0)} ms`,
        `${((100 * sessions) / total).toFixed(2)} %`,
        '-',
      ],
      [
        'everything around them',
        `${(1000 * around).toFixed(1)} ms`,
        `${((100 * around) / total).toFixed(2)} %`,
        'at most 5 %',
      ],
    ],
    options,
  )
}

async function oneRun(
  recognizer: Recognizer,
  clip: Float32Array,
  inside: { seconds: number },
  maxNewTokens: number,
) {
  inside.seconds = 0
  const started = performance.now()
  const { pieces } = await recognize(recognizer, clip, {
    maxNewTokens,
    stopLoops: false,
    maxPieceSeconds: Number.POSITIVE_INFINITY,
  })
  const total = (performance.now() - started) / 1000
  return { total, sessions: inside.seconds, tokens: pieces.flatMap(({ tokens }) => tokens).length }
}

/** Adds up the time that all sessions spend in `run`, the copy of their outputs included. */
function watchSessions(): { seconds: number } {
  const inside = { seconds: 0 }
  // its type hides that it is a class
  const { prototype } = InferenceSession as unknown as { prototype: { run: InferenceSession['run'] } }
  const { run } = prototype
  prototype.run = async function (this: InferenceSession, ...args: Parameters<typeof run>) {
    const started = performance.now()
    const results = await run.apply(this, args)
    inside.seconds += (performance.now() - started) / 1000
    return results
  } as typeof run
  return inside
}

async function medianOf(job: () => unknown, rounds: number): Promise<number> {
  await job()
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    await job()
    times.push((performance.now() - started) / 1000)
  }
  return median(times)
}

function print(title: string, columns: string[], rows: string[][], { threads, rounds }: Options): void {
  const { cpu, cores, node, onnxruntime } = describeMachine(threads)
  const where = `${cpu}, ${cores} cores, Node ${node}, onnxruntime ${onnxruntime}, medians of ${rounds}`
  process.stdout.write(`\n${title}\n${tableLines(columns, rows).join('\n')}\n  ${where}\n`)
}
