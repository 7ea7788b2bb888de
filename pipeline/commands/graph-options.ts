// SPDX-License-Identifier: Apache-2.0

import { SHARE_MINIMUM } from '../../graph-tools/share.ts'
import { withFolders } from '../graph/folder-lock.ts'
import { openReasons } from '../graph/open-reasons.ts'
import { progressLine } from '../graph/progress-line.ts'
import type { Ui } from '../graph/rewriting.ts'
import { EXIT, type ExitCode, Failure } from '../shared/failure.ts'
import { nearest } from '../shared/nearest.ts'
import { say } from '../shared/terminal.ts'
import {
  bytes,
  type CommandLine,
  type DescribedCommand,
  flag,
  type OptionsOf,
  type OptionTable,
  type Parser,
  parseArguments,
  requireCommand,
  type Subcommand,
  text,
  type WordTable,
  withCommand,
} from './arguments.ts'
import type { CommonOptions, Output } from './run-command.ts'

type Ended = ExitCode | Failure

/** What a command line of `npm run graph` requests. */
export interface GraphOptions extends CommonOptions {
  /** files change, so that it stops where nothing is half done */
  readonly isRewrite: boolean
  work(output: Output, signal: AbortSignal): Promise<Ended>
}

const COMMAND = 'npm run graph --'
const LINE: CommandLine = {
  command: COMMAND,
  usage: '<command> FILE... [options]',
  about: 'Read and rewrite ONNX files of any size in place, without loading their weights.',
  examples: [
    ['inspect output/qwen3-asr-tiny/decoder_step.onnx', 'what is in a graph'],
    ['share decoder_init.onnx decoder_step.onnx --data decoder_weights.data', 'store equal weights once'],
    ['verify output/qwen3-asr-tiny', 'check a whole folder'],
  ],
  exits: { failed: 'failed (diff: they differ)', gate: 'a check failed' },
  remark: 'Results go to stdout, errors to stderr.',
}

/**
 * Parse the command line of `npm run graph`.
 * @returns undefined when help or the version was printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseGraph(args: readonly string[]): Promise<GraphOptions | undefined> {
  const names = COMMANDS.map(({ name }) => name)
  requireCommand(LINE, args, names, (word) => {
    const near = nearest(word, names)
    return near ? `; did you mean ${near}?` : '.'
  })
  return parseArguments<GraphOptions>(LINE, args, (parser, take) =>
    COMMANDS.reduce((all, { add }) => add(all, take), parser).demandCommand(1, 'Which command?'),
  )
}

type Take = (options: GraphOptions) => void

/** One command of `npm run graph`. */
interface GraphCommand extends Subcommand<WordTable, OptionTable> {
  add(parser: Parser, take: Take): Parser
}

const one = { type: 'string', demandOption: true } as const
const FILES = { files: { ...one, array: true, describe: 'ONNX files' } } as const

type Looking = typeof import('../graph/looking.ts')
type Rewrites = typeof import('../graph/rewrites.ts')

/** In the order of --help. */
const COMMANDS: readonly GraphCommand[] = [
  graphCommand(
    'inspect',
    'Opsets, inputs and outputs, operators, weights, where external data lies and what graphs share.',
    { words: FILES, table: { all: flag('list every external range') } },
    ({ files, all, ...common }) =>
      looking(common, async ({ runInspect }, output) => {
        await runInspect(files, all, output)
        return EXIT.done
      }),
  ),
  graphCommand(
    'diff',
    'Compare structure and weights, by content; exit code 1 when they differ.',
    { words: { a: one, b: one } },
    ({ a, b, ...common }) =>
      looking(common, async ({ runDiff }, output) =>
        (await runDiff(a, b, output)) ? EXIT.done : new Failure(`${a} and ${b} differ.`),
      ),
  ),
  graphCommand(
    'verify',
    'Every byte in its place, release contract met, loads in onnxruntime; exit code 3 when not.',
    { words: { folder: one }, table: { load: flag('--no-load: do not load in onnxruntime', true) } },
    ({ folder, load, ...common }) =>
      looking(common, async ({ runVerify }, output) =>
        (await runVerify(folder, load, output))
          ? EXIT.done
          : new Failure(`${folder} is not right.`, 'The report lists its problems.', EXIT.gate),
      ),
  ),
  onGraphs(
    'strip-allowzero',
    'Remove allowzero from every Reshape that provably needs none; exit code 3 when some are left.',
    { 'assume-nonzero': flag('strip also where nothing is proved') },
    async ({ runStripAllowzero }, { files, assumeNonzero: all }, ui) =>
      leftOver(await runStripAllowzero(files, all, ui)),
  ),
  onGraphs(
    'strip-traces',
    "Remove the exporter's stack traces and module paths from metadata.",
    {},
    ({ runStripTraces }, { files }, ui) => runStripTraces(files, ui),
  ),
  onGraphs(
    'externalize',
    'Move weights from the proto to a data file.',
    {
      data: text('the data file of all graphs (default: FILE.data of each)'),
      threshold: bytes('bytes from which a tensor moves', 1024),
    },
    ({ runExternalize }, { files, data, threshold }, ui) =>
      runExternalize(files, { data, threshold: Number(threshold) }, ui),
  ),
  onGraphs('inline', 'Move weights from data files into the proto.', {}, ({ runInline }, { files }, ui) =>
    runInline(files, ui),
  ),
  onGraphs(
    'share',
    'Put the weights of several graphs into one data file, equal ones once.',
    {
      data: { ...text('the data file'), demandOption: true },
      minimum: bytes('bytes from which a tensor is moved', SHARE_MINIMUM),
    },
    ({ runShare }, { files, data, minimum }, ui) => runShare(files, { data, minimum: Number(minimum) }, ui),
  ),
  onGraphs(
    'tie',
    'Store one lm_head for the decoder graphs of each precision.',
    { data: text('data file for heads that are in none') },
    ({ runTie }, { files, data }, ui) => runTie(files, { data }, ui),
  ),
  onGraphs(
    'embed-fp16',
    'Move the embedding table to embed_tokens.bin as FP16, with a Cast after its Gather.',
    {},
    ({ runEmbedFp16 }, { files }, ui) => runEmbedFp16(files, ui),
  ),
  graphCommand(
    'alias',
    'Give a graph a second name: a hard link where the file system can.',
    { words: { target: one, name: one } },
    ({ target, name, ...common }) =>
      rewriting('alias', [target, name], common, ({ runAlias }, ui) => runAlias(target, name, ui)),
  ),
  onGraphs(
    'rename-data',
    'Rename a data file, in the folder and in its graphs.',
    {
      from: text('the data file (default: the only one)'),
      to: { ...text('its new name'), demandOption: true },
    },
    ({ runRenameData }, { files, from, to }, ui) => runRenameData(files, { from, to }, ui),
  ),
]

/** For the reference of commands. */
export const GRAPH: DescribedCommand = { line: LINE, commands: COMMANDS }

function graphCommand<const Words extends WordTable, const Table extends OptionTable>(
  name: string,
  about: string,
  arguments_: { readonly words: Words; readonly table?: Table },
  plan: (parsed: OptionsOf<Table, Words>) => GraphOptions,
): GraphCommand {
  const described = { name, about, ...arguments_, exits: LINE.exits }
  return {
    ...described,
    add: (parser, take) => withCommand(parser, described, (parsed) => take(plan(parsed))),
  }
}

/** A command that rewrites the graphs that it is given. */
function onGraphs<const Table extends OptionTable>(
  name: string,
  about: string,
  table: Table,
  rewrite: (tools: Rewrites, parsed: OptionsOf<Table, typeof FILES>, ui: Ui) => Promise<unknown>,
): GraphCommand {
  return graphCommand(name, about, { words: FILES, table }, (parsed) =>
    rewriting(name, parsed.files, parsed, (tools, ui) => rewrite(tools, parsed, ui)),
  )
}

function looking(
  { json, debug }: CommonOptions,
  look: (tools: Looking, output: Output) => Promise<Ended>,
): GraphOptions {
  const work = async (output: Output) => look(await import('../graph/looking.ts'), output)
  return { json, debug, isRewrite: false, work }
}

/** Nobody else rewrites the folders meanwhile. */
function rewriting(
  command: string,
  paths: readonly string[],
  { json, debug }: CommonOptions,
  rewrite: (tools: Rewrites, ui: Ui) => Promise<unknown>,
): GraphOptions {
  const work = async (output: Output, signal: AbortSignal) => {
    const { graphFoldersOf } = await import('../graph/rewriting.ts')
    const tools = await import('../graph/rewrites.ts')
    const ui = uiOf(command, output, signal)
    const ended = await withFolders(await graphFoldersOf(paths), () => rewrite(tools, ui))
    if (!(ended instanceof Failure)) return EXIT.done
    if (!output.isJson) say([`hint: ${ended.hint}`])
    return ended
  }
  return { json, debug, isRewrite: true, work }
}

function uiOf(command: string, output: Output, signal: AbortSignal): Ui {
  const progress = progressLine()
  return {
    report({ text: lines, facts, ...outcome }) {
      output.report({ command, ...outcome, ...facts }, () => lines)
    },
    onBytes(what, done, total) {
      signal.throwIfAborted()
      progress(what, done, total)
    },
    opens: (paths) => openReasons(paths, 'disabled', signal),
  }
}

/** What strip-allowzero cannot prove stays. */
function leftOver(nodes: readonly string[]): Failure | undefined {
  if (nodes.length === 0) return undefined
  return new Failure(
    `allowzero is left at ${nodes.length} Reshape nodes, whose shape may hold a 0.`,
    '--assume-nonzero strips them too; a shape with a 0 would then mean something else.',
    EXIT.gate,
  )
}
