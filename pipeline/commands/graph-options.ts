import yargs from 'yargs'
import { SHARE_MINIMUM } from '../../graph-tools/share.ts'
import { parseOrPrint, strictly } from '../arguments.ts'
import { EXIT, type ExitCode, Failure } from '../failure.ts'
import { withFolders } from '../graph/folder-lock.ts'
import { runDiff, runInspect, runVerify } from '../graph/looking.ts'
import { openReasons } from '../graph/open-reasons.ts'
import { byteCount, bytes, nearest, once, optional, text } from '../graph/options.ts'
import { progressLine } from '../graph/progress-line.ts'
import {
  runAlias,
  runEmbedFp16,
  runExternalize,
  runInline,
  runRenameData,
  runShare,
  runStripAllowzero,
  runStripTraces,
  runTie,
} from '../graph/rewrites.ts'
import { graphFoldersOf, type Outcome, type Ui } from '../graph/rewriting.ts'
import { interruption } from '../interruption.ts'
import { say, sayJson } from '../terminal.ts'

const AFTER_STOP = 'Nothing is half done; run the same command again for the rest.'

const COMMAND = 'npm run graph --'
const LISTED = `Run ${COMMAND} --help for all commands.`
const COMMANDS = [
  ...[
    'inspect',
    'diff',
    'verify',
    'strip-allowzero',
    'strip-traces',
    'externalize',
    'inline',
    'share',
    'tie',
  ],
  ...['embed-fp16', 'alias', 'rename-data'],
]

/**
 * Parse and run one command.
 * @returns the exit code; failures are thrown
 */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done
  const ends = (code: ExitCode) => {
    exitCode = code
  }
  refuseUnknown(args)
  const parser = rewritingCommands(lookingCommands(base(), ends), ends)
  await parseOrPrint(parser, args)
  return exitCode
}

function refuseUnknown([command = '']: readonly string[]): void {
  if (command === '' || command.startsWith('-') || COMMANDS.includes(command)) return
  const near = nearest(command, COMMANDS)
  throw new Failure(
    `There is no command ${command}${near ? `; did you mean ${near}?` : '.'}`,
    LISTED,
    EXIT.usage,
  )
}

function base() {
  const options = yargs()
    .scriptName(COMMAND)
    .usage(
      '$0 <command> FILE...\n\nRead and rewrite ONNX files of any size in place, without loading their weights.',
    )
    .option('json', { type: 'boolean', default: false, describe: 'one JSON object a line' })
    .option('debug', { type: 'boolean', default: false, describe: 'show stacks' })
    .example(`${COMMAND} inspect output/qwen3-asr-tiny/decoder_step.onnx`, 'what is in a graph')
    .example(
      `${COMMAND} share decoder_init.onnx decoder_step.onnx --data decoder_weights.data`,
      'store equal weights once',
    )
    .example(`${COMMAND} verify output/qwen3-asr-tiny`, 'check a whole folder')
    .epilog(
      'Exit codes: 0 done, 1 failed (diff: they differ), 2 wrong usage, 3 a check failed, 130 interrupted.\nResults go to stdout, errors to stderr.',
    )
    .demandCommand(1, 'Which command?')
  return strictly(options, LISTED)
}

const files = { type: 'string', array: true, demandOption: true, describe: 'ONNX files' } as const
const path = { type: 'string', demandOption: true } as const

type Parser = ReturnType<typeof base>

function lookingCommands(parser: Parser, ends: (code: ExitCode) => void): Parser {
  return parser
    .command(
      'inspect <files..>',
      'opsets, inputs and outputs, operators, weights, where external data lies and what graphs share',
      (y) =>
        y
          .positional('files', files)
          .option('all', { type: 'boolean', default: false, describe: 'list every external range' }),
      async ({ files: paths, json, all }) => runInspect(paths, { json, all }),
    )
    .command(
      'diff <a> <b>',
      'compare structure and weights, by content; exit code 1 when they differ',
      (y) => y.positional('a', path).positional('b', path),
      async ({ a, b, json }) => {
        if (!(await runDiff(a, b, json))) ends(EXIT.failed)
      },
    )
    .command(
      'verify <folder>',
      'every byte in its place, release contract met, loads in onnxruntime; exit code 3 when not',
      (y) =>
        y.positional('folder', path).option('load', {
          type: 'boolean',
          default: true,
          describe: '--no-load: do not load in onnxruntime',
        }),
      async ({ folder, json, load }) => {
        if (!(await runVerify(folder, { json, load }))) ends(EXIT.gate)
      },
    )
}

function rewritingCommands(parser: Parser, ends: (code: ExitCode) => void): Parser {
  /** Nobody else rewrites the folders meanwhile. */
  const rewriting = async (
    command: string,
    paths: readonly string[],
    json: boolean,
    run: (ui: Ui) => Promise<void>,
  ) => withFolders(await graphFoldersOf(paths), () => run(uiOf(command, json, interruption(AFTER_STOP))))
  return parser
    .command(
      'strip-allowzero <files..>',
      'remove allowzero from every Reshape that provably needs none; exit code 3 when some are left',
      (y) =>
        y.positional('files', files).option('assume-nonzero', {
          type: 'boolean',
          default: false,
          describe: 'strip also where nothing is proved',
        }),
      async ({ files: paths, assumeNonzero, json }) =>
        rewriting('strip-allowzero', paths, json, async (ui) => {
          const left = await runStripAllowzero(paths, assumeNonzero, ui)
          if (left.length === 0) return
          ends(EXIT.gate)
          if (!json) {
            say(['hint: --assume-nonzero strips them too; a shape with a 0 would then mean something else.'])
          }
        }),
    )
    .command(
      'strip-traces <files..>',
      "remove the exporter's stack traces and module paths from metadata",
      (y) => y.positional('files', files),
      async ({ files: paths, json }) =>
        rewriting('strip-traces', paths, json, (ui) => runStripTraces(paths, ui)),
    )
    .command(
      'externalize <files..>',
      'move weights from the proto to a data file',
      (y) =>
        y
          .positional('files', files)
          .option('data', text('the data file of all graphs (default: FILE.data of each)'))
          .option('threshold', bytes('bytes from which a tensor moves', 1024)),
      async ({ files: paths, data, threshold, json }) =>
        rewriting('externalize', paths, json, (ui) =>
          runExternalize(
            paths,
            { data: optional('data', data), threshold: byteCount('threshold', threshold) },
            ui,
          ),
        ),
    )
    .command(
      'inline <files..>',
      'move weights from data files into the proto',
      (y) => y.positional('files', files),
      async ({ files: paths, json }) => rewriting('inline', paths, json, (ui) => runInline(paths, ui)),
    )
    .command(
      'share <files..>',
      'put the weights of several graphs into one data file, equal ones once',
      (y) =>
        y
          .positional('files', files)
          .option('data', { ...text('the data file'), demandOption: true })
          .option('minimum', bytes('bytes from which a tensor is moved', SHARE_MINIMUM)),
      async ({ files: paths, data, minimum, json }) =>
        rewriting('share', paths, json, (ui) =>
          runShare(paths, { data: once('data', data), minimum: byteCount('minimum', minimum) }, ui),
        ),
    )
    .command(
      'tie <files..>',
      'store one lm_head for the decoder graphs of each precision',
      (y) => y.positional('files', files).option('data', text('data file for heads that are in none')),
      async ({ files: paths, data, json }) =>
        rewriting('tie', paths, json, (ui) => runTie(paths, { data: optional('data', data) }, ui)),
    )
    .command(
      'embed-fp16 <files..>',
      'move the embedding table to embed_tokens.bin as FP16, with a Cast after its Gather',
      (y) => y.positional('files', files),
      async ({ files: paths, json }) => rewriting('embed-fp16', paths, json, (ui) => runEmbedFp16(paths, ui)),
    )
    .command(
      'alias <target> <name>',
      'give a graph a second name: a hard link where the file system can',
      (y) => y.positional('target', path).positional('name', path),
      async ({ target, name, json }) =>
        rewriting('alias', [target, name], json, (ui) => runAlias(target, name, ui)),
    )
    .command(
      'rename-data <files..>',
      'rename a data file, in the folder and in its graphs',
      (y) =>
        y
          .positional('files', files)
          .option('from', text('the data file (default: the only one)'))
          .option('to', { ...text('its new name'), demandOption: true }),
      async ({ files: paths, from, to, json }) =>
        rewriting('rename-data', paths, json, (ui) =>
          runRenameData(paths, { from: optional('from', from), to: once('to', to) }, ui),
        ),
    )
}

function uiOf(command: string, json: boolean, interrupted: AbortSignal): Ui {
  const progress = progressLine()
  return {
    report({ text: lines, facts, ...outcome }: Outcome) {
      if (json) sayJson({ command, ...outcome, ...facts })
      else say(lines)
    },
    onBytes(what, done, total) {
      interrupted.throwIfAborted()
      progress(what, done, total)
    },
    opens: (paths) => openReasons(paths, 'disabled', interrupted),
  }
}
