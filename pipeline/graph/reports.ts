// SPDX-License-Identifier: Apache-2.0

import { plural } from '../../eval/plural.ts'
import type { Difference } from '../../graph-tools/diff.ts'
import type { Inspection, SharedData } from '../../graph-tools/inspect.ts'
import type { VerifyReport } from '../../graph-tools/verify.ts'
import { formatBytes } from '../shared/output-files.ts'
import { tableLines } from '../shared/text-table.ts'

/* What the subcommands of `npm run graph` print. */

/** External ranges that are listed without --all. */
const SHOWN_RANGES = 10

/** An inspection as a person reads it. */
export function inspectionLines(name: string, found: Inspection, all: boolean): string[] {
  const opsets = Object.entries(found.opsets).map((pair) => pair.join(' '))
  const values = [
    ...found.inputs.map((value) => ['in', value] as const),
    ...found.outputs.map((v) => ['out', v] as const),
  ]
  return [
    `${name}: ${formatBytes(found.bytes)}, IR ${found.irVersion}, ${opsets.join(', ')}, by ${found.producer || 'unknown'}`,
    `  ${found.nodes} nodes, ${found.subgraphs} subgraphs, ${found.functions.length} functions, ${found.metadata.entries} metadata entries (${formatBytes(found.metadata.bytes)})`,
    '',
    ...tableLines(
      ['', 'name', 'type', 'shape'],
      values.map(([side, { name, type, shape }]) => [side, name, type, shape ? `[${shape.join(', ')}]` : '']),
    ),
    '',
    ...tableLines(
      ['operator', 'count'],
      Object.entries(found.operators).map(([name, count]) => [name, String(count)]),
    ),
    '',
    ...tableLines(
      ['weights', 'tensors', 'size', 'inside', 'outside'],
      found.weights.map((row) => [
        row.type,
        String(row.tensors),
        ...[row.bytes, row.inside, row.outside].map((bytes) => formatBytes(bytes)),
      ]),
    ),
    ...found.external.flatMap((file) => externalLines(file, all)),
    ...found.duplicates.map((name) => `  several initializers are named ${JSON.stringify(name)}`),
  ]
}

function externalLines(file: Inspection['external'][number], all: boolean): string[] {
  const shown = all ? file.ranges : file.ranges.slice(0, SHOWN_RANGES)
  const shared = file.ranges.filter(({ names }) => names.length > 1).length
  const rest = file.ranges.length - shown.length
  return [
    '',
    `${file.location}: ${file.tensors} tensors, ${formatBytes(file.stored)} in ${file.ranges.length} ranges, ${shared} shared`,
    ...tableLines(
      ['offset', 'length', 'tensors'],
      shown.map(({ offset, length, names }) => [String(offset), String(length), names.join(', ')]),
    ),
    ...(rest > 0 ? [`  ${rest} more: --all`] : []),
  ]
}

/** What graphs share, file by file. */
export function sharedLines(shared: readonly SharedData[]): string[] {
  if (shared.length === 0) return ['The graphs share no bytes.']
  return shared.map(
    ({ location, graphs, ranges, bytes }) =>
      `shared in ${location}: ${ranges} ranges, ${formatBytes(bytes)}, by ${graphs.join(', ')}`,
  )
}

/** A comparison as a person reads it. */
export function differenceLines(found: Difference): string[] {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)]
  const same = `${found.sameNodes} nodes and ${found.sameWeights} weights are the same`
  if (found.isSame) return [`No difference: ${same}.`]
  return [
    ...part('model', found.header),
    ...part('inputs and outputs', found.values),
    ...part('nodes', found.nodes),
    ...part('weights', found.weights),
    ...part('metadata', found.metadata),
    `${same}.`,
  ]
}

/** A verdict as a person reads it. */
export function verifyLines(folder: string, report: VerifyReport, loaded: number): string[] {
  const counts = [
    plural(report.graphs, 'graph'),
    plural(report.dataFiles, 'data file'),
    plural(report.tensors, 'tensor'),
  ]
  const checked = `${counts.join(', ')}, ${loaded} loaded by onnxruntime-node`
  if (report.problems.length === 0) return [`${folder}: all well (${checked})`]
  return [...report.problems, `${folder}: ${plural(report.problems.length, 'problem')} (${checked})`]
}
