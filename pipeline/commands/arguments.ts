// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import yargs, {
  type ArgumentsCamelCase,
  type Argv,
  type InferredOptionTypes,
  type Options,
  type PositionalOptions,
} from 'yargs'
import type { Defined } from '../../eval/runtime/defined.ts'
import { languageName } from '../../eval/runtime/languages.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { describeError, EXIT, Failure } from '../shared/failure.ts'
import { nearest } from '../shared/nearest.ts'
import { asTyped } from '../shared/own-commands.ts'
import { columnsOf } from '../shared/text-width.ts'

/* The command lines of the project: one look of --help, one way to check values. */

const COLUMNS = 110

/** One option: what yargs reads of it, and what its values must be. */
export interface Option extends Options {
  readonly wanted?: Wanted
  readonly mayBeEmpty?: boolean
  /** its older name, which is taken with a note */
  readonly was?: string
}

interface Wanted {
  readonly text: string
  holds(value: unknown): boolean
  readonly hint?: string
}

const COUNT: Wanted = {
  text: 'a whole number above 0',
  holds: (value) => Number.isInteger(value) && Number(value) > 0,
}
const BYTES: Wanted = {
  text: 'a number of bytes',
  holds: (value) => /^\d+$/.test(String(value)) && Number.isSafeInteger(Number(value)),
  hint: 'For example 1024.',
}

/** A switch. */
export function flag(describe: string, value = false) {
  return { type: 'boolean', default: value, describe } as const
}

/** An option that takes a text. */
export function text(describe: string) {
  return { type: 'string', requiresArg: true, describe } as const
}

/** One of several words. */
export function oneOf<const Words extends readonly string[]>(choices: Words, describe: string) {
  return { choices, requiresArg: true, describe } as const
}

/** Several texts. */
export function texts(describe: string) {
  return { type: 'string', array: true, requiresArg: true, describe } as const
}

/** A number, by default one that counts something. */
export function number(describe: string, wanted = COUNT) {
  return { type: 'number', requiresArg: true, describe, wanted } as const
}

/** A number of bytes, as text: `Number()` gives its value. */
export function bytes(describe: string, value: number) {
  return { ...text(describe), default: String(value), wanted: BYTES } as const
}

/** A whole number, both ends included. */
export function between(low: number, high: number, unit = ''): Wanted {
  return {
    text: `${low} to ${high}${unit}`,
    holds: (value) => Number.isInteger(value) && Number(value) >= low && Number(value) <= high,
  }
}

/** Options of several commands. */
export const SHARED = {
  threads: {
    ...number('onnxruntime threads'),
    default: availableParallelism(),
    defaultDescription: 'cores',
  },
  python: text('use this interpreter instead of .venv'),
  language: text('force this language: name, ISO code or tag (zh-CN)'),
  context: { ...text('names and words that may occur'), mayBeEmpty: true },
  'max-new-tokens': number('token limit of one piece (default: 25 a second, and 512 at least)'),
  'max-piece': number('seconds; longer recordings are cut in pauses', {
    text: 'at least 1 second',
    holds: (value) => Number(value) >= 1,
  }),
} as const

/** Options of one command by name, as in `--name`. */
export type OptionTable = Readonly<Record<string, Option>>

/** What stands on a command line without a name, in this order. */
export type WordTable = Readonly<Record<string, PositionalOptions>>

const COMMON = { json: flag('one JSON event a line'), debug: flag('show stacks') } as const

/** What --help says of a command besides its options. */
export interface CommandLine {
  /** as people type it: `npm run publish --` */
  readonly command: string
  /** what follows it */
  readonly usage: string
  /** one sentence */
  readonly about: string
  /** command lines, and what each is for */
  readonly examples?: readonly (readonly [line: string, about: string])[]
  /** of exit codes that mean more here than usual; without `gate` there is no such ending */
  readonly exits?: { readonly done?: string; readonly failed?: string; readonly gate?: string }
  /** to be said below all */
  readonly remark?: string
}

/** The parser of a command line, with the options that every command has. */
export type Parser = Argv<InferredOptionTypes<typeof COMMON>>

/**
 * Parse a command line.
 * @param build adds the options or commands, whose handler passes its options to \`take\`
 * @returns undefined when help or the version was asked for and printed
 * @throws Failure with exit code 2 for wrong usage
 */
export async function parseArguments<T>(
  line: CommandLine,
  args: readonly string[],
  build: (parser: Parser, take: (parsed: T) => void) => Argv<unknown>,
): Promise<T | undefined> {
  let taken: T | undefined
  let printed = ''
  const parser = build(parserOf(line), (parsed) => {
    taken = parsed
  })
  try {
    await parser.parse([...args], {}, (_error, _argv, output) => {
      printed = output
    })
  } catch (error) {
    const isBare = error instanceof Failure && error.exitCode === EXIT.usage && error.hint === ''
    if (!isBare) throw error
    const meant = misspelt(error.message, args)
    const example = meant === '' ? exampleOf(line, missingOf(error.message)) : ''
    throw usage(`${error.message}${meant}`, `${line.command} --help lists the options.${example}`)
  }
  if (printed === '') return taken
  process.stdout.write(`${asTyped(printed)}\n`)
  return undefined
}

/**
 * The first word is one of the commands, an option, or not there.
 * @param wanted ends the sentence about any other word
 * @throws Failure with exit code 2
 */
export function requireCommand(
  { command }: CommandLine,
  [word = '']: readonly string[],
  names: readonly string[],
  wanted: (word: string) => string,
): void {
  if (word === '' || word.startsWith('-') || names.includes(word)) return
  throw usage(`There is no command ${word}${wanted(word)}`, `${command} --help lists the commands.`)
}

/**
 * Parse a command line without commands.
 * @param read makes of it what the command runs with
 * @returns undefined when help or the version was asked for and printed
 * @throws Failure with exit code 2 for wrong usage
 */
export function parseOptions<const Table extends OptionTable, T, const Words extends WordTable = NoWords>(
  line: CommandLine,
  args: readonly string[],
  table: Table,
  read: (options: OptionsOf<Table, Words>) => T,
  words?: Words,
): Promise<T | undefined> {
  return parseArguments<T>(line, withNewNames(args, table), (parser, take) =>
    withCommand(parser, { name: '$0', words, table }, (options) => take(read(options))),
  )
}

type NoWords = Readonly<Record<never, never>>

/** One command of a command line; `$0` is the one without a name. */
export interface Subcommand<Words extends WordTable, Table extends OptionTable> {
  readonly name: string
  /** one sentence; the command without a name has that of its line */
  readonly about?: string
  readonly words?: Words | undefined
  readonly table?: Table
  readonly exits?: CommandLine['exits']
}

/** A command line with all its options, for the reference of commands. */
export interface DescribedCommand {
  readonly line: CommandLine
  /** the command without a name first */
  readonly commands: readonly Subcommand<WordTable, OptionTable>[]
}

/** Add a command, whose values are checked. */
export function withCommand<const Words extends WordTable, const Table extends OptionTable>(
  parser: Parser,
  { name, about, words, table, exits }: Subcommand<Words, Table>,
  take: (options: OptionsOf<Table, Words>) => void,
): Parser {
  const positionals: readonly (readonly [string, PositionalOptions])[] = Object.entries(words ?? {})
  const options: OptionTable = table ?? {}
  return parser.command({
    command: [name, ...positionals.map(([word, described]) => placeOf(word, described))].join(' '),
    describe: about ?? false,
    builder(y) {
      const all = positionals.reduce((some, [word, described]) => some.positional(word, described), y)
      const checked = all
        .options(options)
        .check((argv) => checkValues(argv, options), false)
        .fail((message, error) => fail(withNearest(message, Object.keys({ ...options, ...COMMON })), error))
      return about === undefined ? checked : checked.epilog(exitCodes(exits))
    },
    // yargs infers nothing of a table that is not known yet
    handler: (parsed) => take(given(parsed) as unknown as OptionsOf<Table, Words>),
  })
}

/** As yargs and --help write it: `<files..>`, or in square brackets what may be left out. */
function placeOf(word: string, { array, demandOption }: PositionalOptions): string {
  const name = array ? `${word}..` : word
  return demandOption ? `<${name}>` : `[${name}]`
}

/** Older names of options, each with a note of what it is called now. */
function withNewNames(args: readonly string[], table: OptionTable): string[] {
  const renamed = Object.entries(table).flatMap(([name, { was }]) => (was === undefined ? [] : [[was, name]]))
  return args.map((arg) => {
    const [was = '', name = ''] =
      renamed.find(([old]) => arg === `--${old}` || arg.startsWith(`--${old}=`)) ?? []
    if (name === '') return arg
    process.stderr.write(`--${was} is now --${name}; the older name will go.\n`)
    return arg.replace(was, name)
  })
}

function parserOf({ command, usage: form, about, examples = [], exits, remark }: CommandLine): Parser {
  const parser = yargs()
    .scriptName(asTyped(command))
    .usage(`$0 ${form}\n\n${about}`)
    .options(COMMON)
    .strict()
    .wrap(Math.min(COLUMNS, columnsOf(process.stdout)))
    .version(versionOf())
    .exitProcess(false)
    .check((argv) => checkValues(argv, COMMON))
    .epilog([exitCodes(exits), ...(remark === undefined ? [] : [remark])].join('\n'))
    .fail(fail)
  return examples.reduce((all, [line, said]) => all.example(`${asTyped(command)} ${line}`, said), parser)
}

/** @param error an error of ours; yargs has no error, or one that says what the message says */
function fail(message: string, error?: Error): never {
  throw error && error.name !== 'YError' ? error : usage(message)
}

/** Behind the names that yargs refuses (an option with a dash twice, as `model-dir, modelDir`): what was meant. */
function withNearest(message: string, options: readonly string[]): string {
  const [, given = ''] = /^Unknown arguments?: (.*)$/.exec(message) ?? []
  if (given === '') return message
  const all = given.split(', ')
  const names = all.filter((name) => !all.some((other) => other !== name && camelCase(other) === name))
  const words = names.filter((name) => /^[\w-]+$/.test(name)) // not files
  const meant = words.flatMap((name) => nearest(name, options) ?? []).map((name) => `--${name}`)
  const question = meant.length === 0 ? '' : `; did you mean ${[...new Set(meant)].join(' and ')}?`
  return `Unknown ${names.length === 1 ? 'argument' : 'arguments'}: ${names.join(', ')}${question}`
}

/** The names that yargs misses. */
function missingOf(message: string): readonly string[] {
  return /^Missing required arguments?: (.*)$/.exec(message)?.[1]?.split(', ') ?? []
}

/** The first command line of --help that has the options that are missing. */
function exampleOf({ command, examples = [] }: CommandLine, missing: readonly string[]): string {
  if (missing.length === 0) return ''
  const example = examples.find(([line]) => missing.every((name) => line.includes(`--${name} `)))
  return example === undefined ? '' : ` For example: ${command} ${example[0]}`
}

/** Behind the names of what is missing: an option of the command line that may be it. */
function misspelt(message: string, args: readonly string[]): string {
  const missing = missingOf(message)
  const given = args.flatMap((arg) => /^--([^=]+)/.exec(arg)?.[1] ?? [])
  const close = given.find((name) => nearest(name, missing) !== undefined)
  return close === undefined ? '' : `; did you mean it by --${close}?`
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** The line of --help that says what exit codes mean. */
function exitCodes({ done = 'done', failed = 'failed', gate }: CommandLine['exits'] = {}): string {
  const meanings = [
    `${EXIT.done} ${done}`,
    `${EXIT.failed} ${failed}`,
    `${EXIT.usage} wrong usage`,
    ...(gate === undefined ? [] : [`${EXIT.gate} ${gate}`]),
    `${EXIT.interrupted} interrupted`,
  ]
  return `Exit codes: ${meanings.join(', ')}.`
}

/** Fields under one name, with those left out that have no value. */
type Given<T> = Defined<Pick<T, NamesOf<T>>>
type NamesOf<T> = keyof {
  [K in keyof T as string extends K
    ? never
    : K extends `${string}-${string}` | '_' | '$0' | number
      ? never
      : K]: T[K]
} &
  keyof T

/** What a command gets of its options and words, the options of every command included. */
export type OptionsOf<Table extends OptionTable, Words extends WordTable = NoWords> = GivenOf<Table> &
  GivenOf<Words>
type GivenOf<Table extends OptionTable | WordTable> = Given<
  ArgumentsCamelCase<InferredOptionTypes<typeof COMMON & Table>>
>

/** What yargs passes as options under their names in code: `maxPiece`, not also `max-piece`, and only what has a value. */
function given<T extends object>(parsed: T): Given<T> {
  const kept = Object.entries(parsed).filter(
    ([name, value]) => value !== undefined && !/^_$|^\$0$|-/.test(name),
  )
  return Object.fromEntries(kept) as Given<T>
}

/** Wrong usage. @param hint by default where the options are listed */
export function usage(message: string, hint = ''): Failure {
  return new Failure(message, hint, EXIT.usage)
}

function checkValues(argv: Readonly<Record<string, unknown>>, table: OptionTable): true {
  for (const [name, option] of Object.entries(table)) {
    const value = argv[name]
    if (Array.isArray(value) && !option.array)
      throw usage(`--${name} is given ${value.length} times, wanted once.`)
    for (const one of [value].flat()) if (one !== undefined) checkValue(name, one, option)
  }
  if (table['language'] && typeof argv['language'] === 'string') checkLanguage(argv['language'])
  return true
}

function checkValue(name: string, value: unknown, { wanted, mayBeEmpty = false }: Option): void {
  if (value === '' && !mayBeEmpty) throw usage(`--${name} is empty.`)
  if (wanted === undefined || wanted.holds(value)) return
  const found = Number.isNaN(value) ? 'not a number' : JSON.stringify(value)
  throw usage(`--${name} is ${found}, wanted ${wanted.text}.`, wanted.hint)
}

function checkLanguage(language: string): void {
  try {
    languageName(language)
  } catch (error) {
    const { message, hint } = describeError(error)
    throw usage(message, hint)
  }
}

/** Of this software. */
export function versionOf(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))
  return version
}
