// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  comparePaths,
  type PathComparison,
  type PathResult,
  referencePath,
  runPath,
} from '../../eval/compare.ts'
import { readReference, readReferenceIndex } from '../../eval/reference.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { readCheckpoint } from '../checkpoint/checkpoint.ts'
import { dumpReference } from '../python/dump-reference.ts'
import { findPython } from '../python/venv.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { exists, writeJson } from '../shared/output-files.ts'
import { checkpointFile, mergedFile } from '../shared/paths.ts'
import { printableSpeech } from '../shared/printable.ts'
import { tableLines } from '../shared/text-table.ts'

/** What `npm run compare` was given to compare a release with PyTorch. */
export interface CompareOptions {
  readonly audio: readonly string[]
  readonly modelDir: string
  readonly checkpoint?: string
  readonly python?: string
  readonly threads: number
  readonly maxNewTokens: number
}

interface Clip {
  readonly id: string
  readonly file: string
  readonly samples: Float32Array
}

/** Where results go, and what is said on the way. */
interface Told {
  note(text: string): void
  report(facts: object, lines: () => readonly string[]): void
}

/**
 * Run recordings through PyTorch and every variant, and report each side by side.
 * @throws Failure with exit code 3 when a value is not finite
 */
export async function compareAudio(options: CompareOptions, told: Told, signal: AbortSignal): Promise<void> {
  const { audio, modelDir, threads } = options
  const clips = await Promise.all(
    audio.map(
      async (file, i): Promise<Clip> => ({ id: `clip-${i}`, file, samples: (await loadClip(file)).samples }),
    ),
  )
  const results = new Map<string, PathResult[]>(clips.map(({ id }) => [id, []]))
  const { variants } = await openRelease(modelDir, 'asr')
  let decode = (_: readonly number[]) => ''
  for (const { name: variant } of variants) {
    const recognizer = await loadRecognizer(modelDir, { variant, threads })
    decode = recognizer.tokenizer.decode
    if (variant === variants[0]?.name)
      await addReference(options, clips, recognizer, results, told.note, signal)
    for (const { id, samples } of clips) {
      signal.throwIfAborted()
      const path = `ONNX ${variant}`
      results.get(id)?.push(await runPath(path, recognizer, samples, options.maxNewTokens))
    }
    await releaseRecognizer(recognizer)
  }
  const problems: string[] = []
  for (const { id, file, samples } of clips) {
    const compared = comparePaths(results.get(id) ?? [], decode)
    problems.push(...new Set(compared.flatMap(({ problems }) => problems.map((text) => `${file}: ${text}`))))
    const seconds = samples.length / 16000
    told.report({ file, seconds, paths: compared.map(withoutArrays) }, () => textOf(file, seconds, compared))
  }
  refuseProblems(problems)
}

/** Values that are not finite agree with nothing. */
function refuseProblems(problems: readonly string[]): void {
  const [first] = problems
  if (first === undefined) return
  const more = problems.length > 1 ? ` ${problems.length - 1} more checks failed.` : ''
  throw new Failure(
    `The comparison failed: ${first.replace(/\.$/, '')}.${more}`,
    'Find the first path with such values: later ones are wrong too.',
    EXIT.gate,
  )
}

async function addReference(
  options: CompareOptions,
  clips: readonly Clip[],
  recognizer: Recognizer,
  results: ReadonlyMap<string, PathResult[]>,
  note: Told['note'],
  signal: AbortSignal,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-compare-'))
  try {
    const description = await checkpointDescription(options, folder)
    if (description === undefined) {
      note('Without --checkpoint there is no PyTorch to compare with: the first variant is used instead.')
      return
    }
    const emit = (event: { readonly event: string; readonly text?: string }) => event.text && note(event.text)
    const python = await findPython({ emit, signal, ...(options.python && { python: options.python }) })
    note('Running PyTorch')
    await dumpReference(
      clips.map((clip) => ({ ...clip, steps: 0 })),
      folder,
      {
        ...{ checkpointFile: description, model: resolve(options.modelDir) },
        maxNewTokens: options.maxNewTokens,
        python: { python: python.path, log: join(folder, 'python.log'), signal, onProgress: () => {} },
      },
    )
    const { versions, clips: entries } = await readReferenceIndex(folder)
    for (const entry of entries) {
      const reference = await readReference(folder, entry)
      results.get(entry.id)?.push(referencePath(`PyTorch ${versions['torch']}`, reference, recognizer))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The description of the checkpoint that python/checkpoint.py reads. */
async function checkpointDescription(
  { checkpoint, modelDir }: CompareOptions,
  folder: string,
): Promise<string | undefined> {
  if (checkpoint !== undefined) {
    const known = checkpoint === 'tiny' ? join(PROJECT, 'test/fixtures/qwen3-asr-tiny') : checkpoint
    const path = join(folder, 'checkpoint.json')
    await writeJson(path, await readCheckpoint(resolve(known)))
    return path
  }
  const kept = checkpointFile(join(modelDir, '.work'))
  if (!(await exists(kept))) return undefined
  await requireMerged(modelDir)
  return kept
}

/** The weights that an adapter changes are there while a run needs them. */
async function requireMerged(modelDir: string): Promise<void> {
  const work = join(modelDir, '.work')
  const described = await readFile(checkpointFile(work), 'utf8')
  const file = mergedFile(resolve(work))
  if (!described.includes(JSON.stringify(file)) || (await exists(file))) return
  throw new Failure(
    `${file} is missing: the merged weights of an adapter are removed when a run ends.`,
    'Make them again and keep them: run the pipeline with --keep-intermediate --force --only validate.',
  )
}

function withoutArrays({ features: _, mel: __, ...rest }: PathComparison) {
  return rest
}

function textOf(file: string, seconds: number, paths: readonly PathComparison[]): string[] {
  const rows = paths.map(({ path, tokens, same, of, divergence, ...compared }, i) => [
    path,
    String(tokens.length),
    i === 0 ? '-' : `${same} of ${of}`,
    divergence
      ? `${divergence.at}: ${JSON.stringify(divergence.found)} for ${JSON.stringify(divergence.wanted)}`
      : '-',
    ...[compared.worstMel, compared.worstFeature, compared.rmsFeature].map((value) =>
      i === 0 ? '-' : value.toExponential(1),
    ),
  ])
  const columns = ['path', 'tokens', 'same', 'first divergence', 'mel: worst', 'features: worst', 'rms']
  return [
    `${file} (${seconds.toFixed(1)} s)`,
    ...tableLines(columns, rows),
    ...paths.map(({ path, text }) => `  ${path}: ${printableSpeech(text)}`),
    '',
  ]
}
