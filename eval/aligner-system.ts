// SPDX-License-Identifier: Apache-2.0

import { onnxruntimeVersion } from './machine.ts'
import { startPool } from './pool.ts'
import { requireLanguage } from './runtime/aligner/units.ts'
import { startAligner } from './runtime/aligner-thread.ts'
import { chooseWay } from './runtime/decoder.ts'
import { defined } from './runtime/defined.ts'
import { languageName } from './runtime/languages.ts'
import type { Release } from './runtime/release.ts'
import { SpeechError } from './runtime/speech-error.ts'
import { identifySources } from './sources.ts'
import { type ModelOptions, type System, settingOf, type Transcriber } from './system.ts'

/** What decides about the times: a change of it makes other results. */
const ALIGNER_SOURCES = ['eval/runtime/aligner-worker.ts']

/**
 * A variant of a forced aligner's release, in threads of its own. It is given the reference of each utterance, and finds when its words
 * are said.
 * @throws SpeechError for a language that it does not support
 */
export async function alignerSystem(release: Release, model: ModelOptions): Promise<System> {
  const { name, folder, bytes, fingerprint, threads, workers, provider, options } = model
  const variant = release.variant(model.variant)
  const { layout, prefill } = chooseWay({ release, variant }, model)
  const language = options.language === undefined ? undefined : languageName(options.language)
  if (language !== undefined) requireLanguage(language, release.config.aligner?.languages ?? [])
  const settings = {
    ...{ variant: variant.name, layout, prefill, fingerprint, threads, workers, provider },
    ...defined({ language }),
    onnxruntime: onnxruntimeVersion(),
    aligner: (await identifySources(ALIGNER_SOURCES)).slice(0, 16),
  }
  const setup = { folder, variant: variant.name, threads, provider, prefill, warmUp: true }
  const start = async (): Promise<Transcriber> => {
    const pool = await startPool({
      ...{ count: workers, places: 1 },
      start: () => startAligner(setup),
      end: (worker) => worker.release(),
    })
    return {
      ...pool,
      transcribe: (path, { signal, reference, language: spoken }) =>
        pool.run(async ({ align }) => {
          signal.throwIfAborted()
          const own = defined({ language: language ?? spoken })
          const { seconds, sha256, notes, words, warnings, timing } = await align({
            ...{ input: { path }, text: reference, ...own },
          })
          if (words.length === 0) throw new SpeechError('Its reference has no words to align.')
          return {
            ...{ seconds, samples: sha256, text: '', words, timing, pieces: [] },
            compute: timing.mel + timing.encoder + timing.prefill,
            ...(notes.length > 0 && { warnings: notes }),
            ...(warnings.length > 0 && { doubts: warnings }),
          }
        }),
    }
  }
  return { name, kind: 'aligner', bytes, settings, setting: settingOf(settings), start }
}
