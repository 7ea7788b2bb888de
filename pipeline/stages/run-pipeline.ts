// SPDX-License-Identifier: Apache-2.0

import { join, resolve } from 'node:path'
import { requireSpeech } from '../../eval/dataset/folder-dataset.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import { applyAdapter } from '../checkpoint/adapter.ts'
import { type Opened, openSource } from '../checkpoint/adapter-base.ts'
import { type Checkpoint, familyOf } from '../checkpoint/checkpoint.ts'
import { resolveSource } from '../checkpoint/checkpoint-source.ts'
import { findPython, type Python } from '../python/venv.ts'
import type { Emit } from '../shared/events.ts'
import { type NextStep, stepsAfterModel } from '../shared/next-steps.ts'
import { exists } from '../shared/output-files.ts'
import { mergedFile, type Paths, pathsOf } from '../shared/paths.ts'
import { requireWritable } from '../shared/writable.ts'
import { requireVariants } from './family-variants.ts'
import type { Options } from './run-options.ts'
import type { OwnAdapter } from './stage.ts'

/** One run: find the checkpoint, check it, run the stages. Everything wrong with the input is found before any work. */
export async function runPipeline(options: Options, emit: Emit, signal: AbortSignal): Promise<void> {
  const started = performance.now()
  const source = await resolveSource(options.model)
  const { python: given, venv } = options
  const python = once(() =>
    findPython({ emit, signal, ...(given && { python: given }), ...(venv && { venv }) }),
  )
  const output = resolve(options.output)
  const name = options.name ?? source.name
  const paths = pathsOf(output, name)
  if (options.stages.includes('evaluate')) await requireSpeech(options.speech)
  emit({ event: 'start', model: options.model, output: paths.model, stages: options.stages })
  await requireWritable(paths.model, 'The output folder', 'Name another folder with --output.')
  const opened = await openSource(source, options.base, { python, output, emit, signal })
  const { folder, commit } = opened
  const { checkpoint, adapter } = await ownWeights(opened, paths, emit)
  const family = familyOf(checkpoint)
  requireVariants(options.variants, family)
  const { base, flag, known, place } = source
  const origin = 'repo' in place ? place.repo : folder
  const { runStages } = await import('./stage-runner.ts') // a wrong input is named before the stages are loaded
  await runStages({
    options: { ...options, family },
    ...{ name, base, known, origin, checkpoint, paths, emit, signal, python },
    ...(adapter && { adapter }),
    ...(commit === undefined ? { flag } : { flag: `${base}@${commit}`, revision: commit }),
  })
  emit({
    event: 'done',
    seconds: (performance.now() - started) / 1000,
    ...(await outcomeOf(paths, name, family, options.stages)),
  })
}

/** The checkpoint of a run; of an adapter, what merging it will make of its base. */
async function ownWeights(
  { folder, base, checkpoint }: Opened,
  paths: Paths,
  emit: Emit,
): Promise<{ checkpoint: Checkpoint; adapter?: OwnAdapter }> {
  if (base === undefined) return { checkpoint }
  const { adapter, checkpoint: merged } = await applyAdapter(checkpoint, folder, mergedFile(paths.work))
  const { base: model, flag } = base.source
  const { config, tensors, untrained } = adapter
  const text = `A LoRA adapter of rank ${config.rank}, alpha ${config.alpha}, on ${model}: it changes ${tensors.length} of ${Object.keys(checkpoint.tensors).length} tensors`
  emit({ event: 'note', text })
  if (untrained > 0) {
    const left = `target_modules names ${untrained} modules more than the adapter has tensors of: they stay as the base's`
    emit({ event: 'note', text: left })
  }
  const origin =
    base.commit === undefined
      ? { model, flag }
      : { model, flag: `${model}@${base.commit}`, revision: base.commit }
  return { checkpoint: merged, adapter: { ...adapter, base: origin } }
}

/** What there is now, and what to do with it. */
async function outcomeOf(
  paths: Paths,
  name: string,
  family: Family,
  stages: Options['stages'],
): Promise<{ release: string; next: readonly NextStep[] }> {
  const page = join(paths.model, 'evaluation.html')
  const isPackaged = stages.includes('package')
  const isUsable = isPackaged || stages.includes('quantize') || stages.includes('evaluate')
  return {
    release: isPackaged ? `The release is in ${paths.release}` : `The model is in ${paths.model}`,
    next: isUsable
      ? stepsAfterModel({
          ...{ model: paths.model, name, family },
          ...((await exists(page)) && { page }),
          ...(isPackaged && { release: paths.release }),
        })
      : [],
  }
}

function once(make: () => Promise<Python>): () => Promise<Python> {
  let made: Promise<Python> | undefined
  return () => {
    made ??= make()
    return made
  }
}
