import yargs from 'yargs'
import { loadProblem } from '../../eval/load-check.ts'
import { recover } from '../../graph-tools/commit.ts'
import { diffModels } from '../../graph-tools/diff.ts'
import { graphFiles } from '../../graph-tools/folder.ts'
import { inspectModel } from '../../graph-tools/inspect.ts'
import { SHARE_MINIMUM } from '../../graph-tools/share.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { describeError, EXIT, type ExitCode, Failure } from '../failure.ts'
import { formatBytes } from '../files.ts'
import {
  type OnBytes,
  openGraphs,
  runAlias,
  runEmbedFp16,
  runExternalize,
  runInline,
  runRenameData,
  runShare,
  runStripAllowzero,
  runStripTraces,
  runTie,
} from './commands.ts'
import { differenceLines, inspectionLines, verifyLines } from './reports.ts'

const COMMAND = 'npm run graph --'
const PROGRESS_MS = 500

const say = (line: string) => {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    return await run(args)
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    if (args.includes('--json')) say(JSON.stringify({ event: 'failure', message, hint, exitCode }))
    else say(`error: ${message}${hint ? `\nhint: ${hint}` : ''}`)
    if (args.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return exitCode
  }
}

async function run(args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done
  const ends = (code: ExitCode) => {
    exitCode = code
  }
  const files = { type: 'string', array: true, demandOption: true, describe: 'ONNX files' } as const
  const bytes = (describe: string, value: number) => ({ type: 'number', default: value, describe }) as const
  await yargs([...args])
    .scriptName(COMMAND)
    .usage(
      '$0 <command> FILE...\n\nRead and rewrite ONNX files of any size in place, without loading their weights.',
    )
    .command(
      'inspect <files..>',
      'opsets, inputs and outputs, operators, weights, where external data lies',
      (y) =>
        y
          .positional('files', files)
          .option('all', { type: 'boolean', describe: 'list every external range' }),
      async ({ files: paths, json, all }) => {
        for (const model of await openGraphs(paths)) {
          const found = inspectModel(model)
          if (json) say(JSON.stringify({ file: model.path, ...found }))
          else say(`${inspectionLines(model.path ?? '', found, all === true).join('\n')}\n`)
        }
      },
    )
    .command(
      'diff <a> <b>',
      'compare structure and weights, by content; exit code 1 when they differ',
      (y) =>
        y
          .positional('a', { type: 'string', demandOption: true })
          .positional('b', { type: 'string', demandOption: true }),
      async ({ a, b, json }) => {
        const [left, right] = await openGraphs([a, b])
        if (!left || !right) return
        const found = await diffModels(left, right)
        say(json ? JSON.stringify(found) : differenceLines(found).join('\n'))
        if (!found.isSame) ends(EXIT.failed)
      },
    )
    .command(
      'verify <folder>',
      'every byte in its place, release contract met, loads in onnxruntime; exit code 3 when not',
      (y) =>
        y.positional('folder', { type: 'string', demandOption: true }).option('load', {
          type: 'boolean',
          default: true,
          describe: '--no-load: do not load in onnxruntime',
        }),
      async ({ folder, json, load }) => {
        const { report, loaded } = await verify(folder, load)
        say(
          json
            ? JSON.stringify({ folder, ...report, loaded })
            : verifyLines(folder, report, loaded).join('\n'),
        )
        if (report.problems.length > 0) ends(EXIT.gate)
      },
    )
    .command(
      'strip-allowzero <files..>',
      'remove allowzero from every Reshape that provably needs none; exit code 3 when some are left',
      (y) =>
        y.positional('files', files).option('assume-nonzero', {
          type: 'boolean',
          default: false,
          describe: 'strip also where nothing is proved',
        }),
      async ({ files: paths, assumeNonzero }) => {
        const left = await runStripAllowzero(paths, assumeNonzero, say)
        if (left.length === 0) return
        say('hint: --assume-nonzero strips them too; a shape with a 0 would then mean something else.')
        ends(EXIT.gate)
      },
    )
    .command(
      'strip-traces <files..>',
      "remove the exporter's stack traces and module paths from metadata",
      (y) => y.positional('files', files),
      async ({ files: paths }) => runStripTraces(paths, say),
    )
    .command(
      'externalize <files..>',
      'move weights from the proto to a data file',
      (y) =>
        y
          .positional('files', files)
          .option('data', {
            type: 'string',
            requiresArg: true,
            describe: 'the data file (default: FILE.data)',
          })
          .option('threshold', bytes('bytes from which a tensor moves', 1024)),
      async ({ files: paths, data, threshold }) =>
        runExternalize(paths, { data, threshold }, say, progress()),
    )
    .command(
      'inline <files..>',
      'move weights from data files into the proto',
      (y) => y.positional('files', files),
      async ({ files: paths }) => runInline(paths, say, progress()),
    )
    .command(
      'share <files..>',
      'put the weights of several graphs into one data file, equal ones once',
      (y) =>
        y
          .positional('files', files)
          .option('data', {
            type: 'string',
            requiresArg: true,
            demandOption: true,
            describe: 'the data file',
          })
          .option('minimum', bytes('bytes from which a tensor is moved', SHARE_MINIMUM)),
      async ({ files: paths, data, minimum }) => runShare(paths, { data, minimum }, say, progress()),
    )
    .command(
      'tie <files..>',
      'store one lm_head for the decoder graphs of each precision',
      (y) =>
        y.positional('files', files).option('data', {
          type: 'string',
          requiresArg: true,
          describe: 'data file for heads that are in none',
        }),
      async ({ files: paths, data }) => runTie(paths, { data }, say, progress()),
    )
    .command(
      'embed-fp16 <files..>',
      'move the embedding table to embed_tokens.bin as FP16, with a Cast after its Gather',
      (y) => y.positional('files', files),
      async ({ files: paths }) => runEmbedFp16(paths, say, progress()),
    )
    .command(
      'alias <target> <name>',
      'give a graph a second name: a hard link where the file system can',
      (y) =>
        y
          .positional('target', { type: 'string', demandOption: true })
          .positional('name', { type: 'string', demandOption: true }),
      async ({ target, name }) => runAlias(target, name, say),
    )
    .command(
      'rename-data <files..>',
      'rename a data file, in the folder and in its graphs',
      (y) =>
        y
          .positional('files', files)
          .option('from', {
            type: 'string',
            requiresArg: true,
            describe: 'the data file (default: the only one)',
          })
          .option('to', { type: 'string', requiresArg: true, demandOption: true, describe: 'its new name' }),
      async ({ files: paths, from, to }) => runRenameData(paths, { from, to }, say),
    )
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'inspect, diff, verify: one JSON object a line',
    })
    .option('debug', { type: 'boolean', default: false, describe: 'show stacks' })
    .example(`${COMMAND} inspect output/qwen3-asr-tiny/decoder_step.onnx`, 'what is in a graph')
    .example(
      `${COMMAND} share decoder_init.onnx decoder_step.onnx --data decoder_weights.data`,
      'store equal weights once',
    )
    .example(`${COMMAND} verify output/qwen3-asr-tiny`, 'check a whole folder')
    .epilog('Exit codes: 0 done, 1 failed (diff: they differ), 2 wrong usage, 3 a check failed.')
    .demandCommand(1, 'Which command?')
    .strict()
    .version(false)
    .wrap(110)
    .exitProcess(false)
    .fail((message, error) => {
      if (error) throw error
      throw new Failure(message, `Run ${COMMAND} --help for all commands.`, EXIT.usage)
    })
    .parseAsync()
  return exitCode
}

/** The static checks, then onnxruntime itself: a graph that they found fault with is not loaded. */
async function verify(folder: string, load: boolean) {
  await recover(folder)
  const report = await verifyFolder(folder)
  if (!load || report.problems.length > 0) return { report, loaded: 0 }
  const problems: string[] = []
  const paths = await graphFiles(folder)
  for (const path of paths) {
    const problem = await loadProblem(path)
    if (problem) problems.push(`onnxruntime does not load ${path}: ${problem}`)
  }
  return { report: { ...report, problems }, loaded: paths.length - problems.length }
}

/** On a terminal, one line that is written over; nothing in a log. */
function progress(): OnBytes {
  let last = 0
  return (what, done, total) => {
    const now = performance.now()
    if (!process.stderr.isTTY || (now - last < PROGRESS_MS && done < total)) return
    last = now
    process.stderr.write(
      `\r\u001b[K${done < total ? `${what} ${formatBytes(done)} of ${formatBytes(total)}` : ''}`,
    )
  }
}
