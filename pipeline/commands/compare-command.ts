import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import yargs from 'yargs'
import { loadClip } from '../../eval/audio/clip.ts'
import {
  comparePaths,
  type PathComparison,
  type PathResult,
  referencePath,
  runPath,
} from '../../eval/compare.ts'
import { MAX_NEW_TOKENS } from '../../eval/limits.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/recognizer.ts'
import { readReference, readReferenceIndex } from '../../eval/reference.ts'
import { variantsOf } from '../../eval/session.ts'
import { parseOrPrint, strictly } from '../arguments.ts'
import { readCheckpoint } from '../checkpoint.ts'
import { EXIT, type ExitCode, Failure } from '../failure.ts'
import { exists, writeJson } from '../files.ts'
import { interruption } from '../interruption.ts'
import { PROJECT } from '../models.ts'
import { printableSpeech } from '../printable.ts'
import { dumpReference } from '../reference.ts'
import { checkpointFile } from '../stages/export.ts'
import { tableLines } from '../table.ts'
import { reportError, reportUncaught, say, sayJson } from '../terminal.ts'
import { findPython } from '../venv.ts'

interface Options {
  readonly audio: readonly string[]
  readonly modelDir: string
  readonly checkpoint: string | undefined
  readonly python: string | undefined
  readonly threads: number
  readonly maxNewTokens: number
  readonly json: boolean
}

interface Clip {
  readonly id: string
  readonly file: string
  readonly samples: Float32Array
}

const note = (text: string) => say([text], process.stderr)

reportUncaught(process.argv)
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    const options = await parse(args)
    if (options) await compare(options, interruption())
    return EXIT.done
  } catch (error) {
    return reportError(error, args)
  }
}

async function parse(args: readonly string[]): Promise<Options | undefined> {
  let options: Options | undefined
  const parser = yargs()
    .scriptName('npm run compare --')
    .command(
      '$0',
      'the paths through a model side by side: PyTorch, FP32 graphs, every other variant',
      (y) =>
        y
          .option('audio', { type: 'string', array: true, demandOption: true, describe: 'recordings' })
          .option('model-dir', { type: 'string', demandOption: true, describe: 'release directory' })
          .option('checkpoint', {
            type: 'string',
            describe: 'checkpoint directory for PyTorch; by default the one that the pipeline exported',
          })
          .option('python', { type: 'string', describe: 'interpreter to use instead of .venv' })
          .option('threads', {
            type: 'number',
            default: availableParallelism(),
            describe: 'onnxruntime threads',
          })
          .option('max-new-tokens', { type: 'number', default: MAX_NEW_TOKENS })
          .option('json', { type: 'boolean', default: false, describe: 'one JSON object a recording' })
          .option('debug', { type: 'boolean', describe: 'print the stack of an error' }),
      ({ audio, modelDir, checkpoint, python, threads, maxNewTokens, json }) => {
        options = { audio, modelDir, checkpoint, python, threads, maxNewTokens, json }
      },
    )
  await parseOrPrint(strictly(parser, 'npm run compare -- --help lists the options.'), args)
  return options
}

async function compare(options: Options, signal: AbortSignal): Promise<void> {
  const { audio, modelDir, threads } = options
  const clips = await Promise.all(
    audio.map(
      async (file, i): Promise<Clip> => ({ id: `clip-${i}`, file, samples: (await loadClip(file)).samples }),
    ),
  )
  const results = new Map<string, PathResult[]>(clips.map(({ id }) => [id, []]))
  const variants = await variantsOf(modelDir)
  let decode = (_: readonly number[]) => ''
  for (const variant of variants) {
    const recognizer = await loadRecognizer(modelDir, { variant, threads })
    decode = recognizer.tokenizer.decode
    if (variant === variants[0]) await addReference(options, clips, recognizer, results, signal)
    for (const { id, samples } of clips) {
      signal.throwIfAborted()
      const path = variant === '' ? 'ONNX FP32' : `ONNX ${variant}`
      results.get(id)?.push(await runPath(path, recognizer, samples, options.maxNewTokens))
    }
    await releaseRecognizer(recognizer)
  }
  const problems: string[] = []
  for (const { id, file, samples } of clips) {
    const compared = comparePaths(results.get(id) ?? [], decode)
    problems.push(...new Set(compared.flatMap(({ problems }) => problems.map((text) => `${file}: ${text}`))))
    if (options.json) sayJson({ file, seconds: samples.length / 16000, paths: compared.map(withoutArrays) })
    else say(textOf(file, samples.length / 16000, compared))
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
    'Look for the first path with such values: what follows from it is not right either.',
    EXIT.gate,
  )
}

async function addReference(
  options: Options,
  clips: readonly Clip[],
  recognizer: Recognizer,
  results: ReadonlyMap<string, PathResult[]>,
  signal: AbortSignal,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-compare-'))
  try {
    const description = await checkpointDescription(options, folder)
    if (description === undefined) {
      note('Without --checkpoint there is no PyTorch to compare with: the first variant stands in its place.')
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
  { checkpoint, modelDir }: Options,
  folder: string,
): Promise<string | undefined> {
  if (checkpoint !== undefined) {
    const known = checkpoint === 'tiny' ? join(PROJECT, 'test/fixtures/qwen3-asr-tiny') : checkpoint
    const path = join(folder, 'checkpoint.json')
    await writeJson(path, await readCheckpoint(resolve(known)))
    return path
  }
  const kept = checkpointFile(join(modelDir, '.work'))
  return (await exists(kept)) ? kept : undefined
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
