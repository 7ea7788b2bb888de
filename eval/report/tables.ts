import { csvText } from '../csv.ts'
import type { PairedRow, Percentiles, Row } from '../summary.ts'
import { mainDifferences, mainRows, type Report, type SystemFigures } from './report.ts'

/** Clips that could not be read are named up to this many. */
const PROBLEMS_SHOWN = 5

/** results.csv: a line for each dataset, system and normalizer, every figure in base units. */
export function resultsCsv(report: Report): string {
  return csvText(report.rows.map((row) => csvRow(row, systemOf(report, row), report)))
}

function csvRow(row: Row, system: SystemFigures | undefined, report: Report) {
  const { errors, speed, failures } = row
  const share = (seconds: number | undefined) =>
    number(seconds === undefined ? undefined : seconds / speed.audioSeconds)
  const machines = report.machines.map(({ machine }) => machine)
  const said = (of: (machine: (typeof machines)[number]) => string | number) =>
    [...new Set(machines.map(of))].join('; ')
  return {
    ...{ dataset: row.dataset, system: row.system, normalizer: row.normalizer, utterances: row.utterances },
    ...{ wer: number(row.wer), wer_low: number(row.werInterval.low), wer_high: number(row.werInterval.high) },
    ...{ words: errors.words, hits: errors.hits, substitutions: errors.substitutions },
    ...{ deletions: errors.deletions, insertions: errors.insertions },
    ...{ cer: number(row.cer), cer_low: number(row.cerInterval.low), cer_high: number(row.cerInterval.high) },
    ...{ characters: row.characters, problems: failures.problems, empty: failures.empty },
    ...{ says_none: failures.saysNone, without_marker: failures.withoutMarker },
    ...{ loops_stopped: failures.loops, token_limit: failures.limited },
    ...{ audio_seconds: number(speed.audioSeconds), compute_seconds: number(speed.compute) },
    ...{ rtf: number(speed.rtf), rtfx: number(speed.rtfx), rtf_mel: share(speed.timing?.mel) },
    ...{ rtf_encoder: share(speed.timing?.encoder), rtf_prefill: share(speed.timing?.prefill) },
    ...{ rtf_decode: share(speed.timing?.decode), tokens: speed.tokens },
    tokens_per_second: number(speed.timing && speed.tokensPerSecond),
    ...percentileColumns('first_token', speed.firstToken),
    ...percentileColumns('latency', speed.latency),
    ...{ load_seconds: number(system?.loadSeconds), peak_memory_bytes: system?.peakMemory ?? '' },
    ...{ package_bytes: system?.bytes ?? '', threads: said(({ threads }) => threads) },
    ...{ workers: said(({ workers }) => workers), cpu: said(({ cpu }) => cpu) },
    ...{ cpu_features: said(({ features }) => features.join(' ')), node: said(({ node }) => node) },
    onnxruntime: said(({ onnxruntime }) => onnxruntime),
    execution_provider: said(({ executionProvider }) => executionProvider),
  }
}

function percentileColumns(name: string, values: Percentiles | undefined) {
  return {
    [`${name}_p50`]: number(values?.p50),
    [`${name}_p90`]: number(values?.p90),
    [`${name}_p99`]: number(values?.p99),
  }
}

/** Six significant digits; empty for what is not known. */
function number(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '' : String(Number(value.toPrecision(6)))
}

/** A table for people. */
export interface TextTable {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** One table of accuracy and one of speed for each dataset. */
export function textTables(report: Report): TextTable[] {
  return report.run.datasets.flatMap(({ name, count, of, normalizer }) => {
    const rows = mainRows(report).filter(({ dataset, utterances }) => dataset === name && utterances > 0)
    const chosen = count === of ? `all ${of}` : `${count} of ${of}`
    return [
      {
        title: `WER on ${name} (${chosen} utterances, normalizer ${normalizer})`,
        columns: ['system', 'WER', '95 % interval', 'words', 'sub', 'del', 'ins', 'CER'],
        rows: rows.map(accuracyCells),
      },
      {
        title: `Speed on ${name}`,
        columns: [
          ...['system', 'RTF', 'RTFx', 'mel', 'encoder', 'prefill', 'decode', 'tokens/s'],
          ...['first token', 'latency p50', 'p90', 'p99', 'load', 'memory', 'size'],
        ],
        rows: rows.map((row) => speedCells(row, systemOf(report, row))),
      },
    ]
  })
}

function accuracyCells({ system, wer, werInterval, errors, cer }: Row): string[] {
  return [
    ...[system, percent(wer), `${percent(werInterval.low)} to ${percent(werInterval.high)}`],
    ...[errors.words, errors.substitutions, errors.deletions, errors.insertions].map(String),
    percent(cer),
  ]
}

function speedCells({ system, speed }: Row, figures: SystemFigures | undefined): string[] {
  const { timing, audioSeconds } = speed
  const share = (seconds: number | undefined) =>
    shown(seconds && seconds / audioSeconds, (value) => value.toFixed(4))
  const time = (seconds: number | undefined) => shown(seconds, (value) => `${value.toFixed(2)} s`)
  return [
    ...[system, shown(speed.rtf, (rtf) => rtf.toFixed(4)), shown(speed.rtfx, (rtfx) => rtfx.toPrecision(3))],
    ...[timing?.mel, timing?.encoder, timing?.prefill, timing?.decode].map(share),
    shown(timing && speed.tokensPerSecond, (rate) => rate.toFixed(0)),
    ...[
      speed.firstToken?.p50,
      speed.latency.p50,
      speed.latency.p90,
      speed.latency.p99,
      figures?.loadSeconds,
    ].map(time),
    ...[figures?.peakMemory, figures?.bytes].map((bytes) => (bytes === undefined ? '-' : megabytes(bytes))),
  ]
}

/** What the tables do not say: differences, failed outputs, how it was measured. */
export function remarks(report: Report): string[] {
  return [
    ...mainDifferences(report).map(differenceSentence),
    ...mainRows(report).flatMap(failureSentence),
    ...problemSentences(report),
    ...report.run.datasets.flatMap(({ name, leftOut = 0 }) =>
      leftOut > 0 ? [`${name}: ${plural(leftOut, 'recording')} without a reference left out`] : [],
    ),
    ...(report.missing > 0 ? [`${report.missing} results are missing: run the same command again.`] : []),
    ...howMeasured(report),
  ]
}

/** Whether two systems can be told apart. */
function differenceSentence({
  first,
  second,
  difference,
  low,
  high,
  distinct,
  dataset,
  utterances,
}: PairedRow): string {
  const points = (value: number) => `${value >= 0 ? '+' : '-'}${(100 * Math.abs(value)).toFixed(2)}`
  const verdict = distinct
    ? `is ${difference > 0 ? 'worse' : 'better'} than ${first}`
    : `cannot be told apart from ${first}`
  return `${dataset}: ${second} ${verdict}: ${points(difference)} points of WER, 95 % interval ${points(low)} to ${points(high)} (paired bootstrap, ${utterances} utterances)`
}

function failureSentence({ dataset, system, failures }: Row): string[] {
  const { problems, empty, saysNone, withoutMarker, loops, limited } = failures
  const said = [
    [problems, 'could not be read or transcribed (all their words count as deleted)'],
    [empty, 'empty'],
    [saysNone, 'said "language None"'],
    [withoutMarker, 'without <asr_text>'],
    [loops, 'stopped in a loop'],
    [limited, 'cut at the token limit'],
  ].flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]))
  return said.length === 0 ? [] : [`${dataset}, ${system}: ${said.join(', ')}`]
}

/** The first of the clips that could not be read, by name; results.jsonl has all. */
function problemSentences({ scores }: Report): string[] {
  const records = [...scores.values()].flatMap((systems) =>
    [...systems.values()].flat().map(({ record }) => record),
  )
  const problems = records.filter(({ problem }) => problem !== undefined)
  const distinct = new Map(
    problems.map(({ dataset, id, problem }) => [`${dataset} ${id}`, `${dataset}, ${id}: ${problem}`]),
  )
  const more = distinct.size - PROBLEMS_SHOWN
  return [...distinct.values()]
    .slice(0, PROBLEMS_SHOWN)
    .concat(more > 0 ? [`and ${more} more, in results.jsonl`] : [])
}

/** Everything that a figure of speed depends on. */
function howMeasured({ machines, systems }: Report): string[] {
  const sentence =
    'RTF = seconds of compute per second of audio, after a warm-up, without reading and decoding the file; commands of other engines with their start'
  return [
    sentence,
    ...howDecoded(systems),
    ...machines.map(({ machine, results }) => {
      const {
        cpu,
        cores,
        features,
        threads,
        workers,
        onnxruntime,
        executionProvider,
        node,
        memoryGiB,
        platform,
      } = machine
      const flags = features.length > 0 ? ` (${features.join(', ')})` : ''
      const side =
        workers > 1
          ? `${workers} workers side by side with ${plural(threads, 'thread')} each`
          : plural(threads, 'thread')
      return `${results} results on ${cpu}${flags}, ${cores} cores, ${memoryGiB} GiB, ${platform}: ${side}, onnxruntime ${onnxruntime} ${executionProvider}, Node ${node}`
    }),
  ]
}

/** A line for every way to decode, with the systems that were measured so. */
function howDecoded(systems: readonly SystemFigures[]): string[] {
  const names = new Map<string, string[]>()
  for (const { name, kind, settings } of systems) {
    if (kind !== 'model') continue
    const { layout, batch, prefill, steady, language, context, prompt, stopLoops } = settings
    const way = [
      `${layout} layout`,
      Number(batch) > 1 ? `up to ${batch} utterances decoded together` : 'one utterance at a time',
      ...(prefill === 'int8' ? ['prompts in 8 bits'] : []),
      ...(steady ? ['steps of an even number of rows, so that batches change no transcript'] : []),
      ...(language ? [`${language} forced`] : []),
      ...(context ? ['with a context'] : []),
      ...(prompt === 'legacy' ? ["with the wrong ids of older exporters' prompt"] : []),
      ...(stopLoops === false ? ['loops not stopped'] : []),
    ].join(', ')
    names.set(way, [...(names.get(way) ?? []), name])
  }
  return [...names].map(([way, of]) => `${of.join(', ')}: ${way}`)
}

function systemOf({ systems }: Report, { system }: Row): SystemFigures | undefined {
  return systems.find(({ name }) => name === system)
}

function shown(value: number | undefined, write: (value: number) => string): string {
  return value === undefined || !Number.isFinite(value) ? '-' : write(value)
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** 4.55 % */
export function percent(rate: number): string {
  return !Number.isFinite(rate) ? '-' : `${(100 * rate).toFixed(2)} %`
}

/** Decimal: 1.40 GB, 850 MB */
export function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toPrecision(3)} MB`
}
