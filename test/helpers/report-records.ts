// SPDX-License-Identifier: Apache-2.0

import type { Machine } from '../../eval/machine.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import type { ResultRecord, UtteranceRecord } from '../../eval/record.ts'
import { makeReport, type Report } from '../../eval/report/report.ts'

const MACHINE: Machine = {
  cpu: 'Some CPU',
  cores: 4,
  features: ['avx2'],
  memoryGiB: 16,
  platform: 'linux-x64',
  node: '20.0.0',
  onnxruntime: '1.0.0',
  executionProvider: 'cpu',
  threads: 4,
  workers: 1,
}

/** What people, and others who mean it, give as names. */
export const HOSTILE_NAMES = [
  `<img src=x onerror="window.hacked=1">'"&amp;</script><!--`,
  'safe\u202egnp.exe',
  'x'.repeat(500),
  'نظام التعرف على الكلام',
  '👩‍👩‍👧‍👦 family 🎙️',
  '=HYPERLINK("http://example.invalid","x")',
  '漢字'.repeat(60),
  'bell\u0007 and \u001b[31mred\u001b[0m',
]

export interface ExampleOptions {
  readonly systems: readonly string[]
  readonly datasets: readonly string[]
  /** utterances of each dataset */
  readonly count: number
  /** reference and what was heard, by utterance and system */
  readonly texts: (row: number, system: number) => readonly [reference: string, heard: string]
  /** what else a record has */
  readonly more?: (row: number, system: number) => Partial<UtteranceRecord>
  readonly normalizer?: NormalizerName
  /** of each system; models by default */
  readonly kinds?: readonly Report['systems'][number]['kind'][]
  /** what else its settings have */
  readonly settings?: (system: number) => Readonly<Record<string, unknown>>
}

/** A report of made-up records. */
export function exampleReport(options: ExampleOptions): Report {
  const { systems, datasets, count, normalizer = 'basic', settings, kinds } = options
  const rows = Array.from({ length: count }, (_, row) => row)
  const records = datasets.flatMap((dataset) =>
    systems.flatMap((system, s) => rows.map((row) => exampleRecord(dataset, row, system, s, options))),
  )
  const machine: ResultRecord = { kind: 'machine', id: 'm', machine: MACHINE }
  const loaded = systems.map((system, s) => ({
    ...{ kind: 'system', system, setting: `setting-${s}`, machine: 'm', settings: {} },
    ...{ loadSeconds: 1 + s, peakMemory: 4e8 * (s + 1) },
  })) as ResultRecord[]
  const run = {
    datasets: datasets.map((name) => ({
      ...{ name, source: { kind: 'folder' }, count, of: count, normalizer },
      keys: rows.map((row) => `key ${row}`),
    })),
    systems: systems.map((name, s) => ({
      ...{ name, kind: kinds?.[s] ?? 'model', setting: `setting-${s}`, bytes: 9e8 + 3e8 * s },
      settings: { layout: 'fused', batch: 1, ...settings?.(s) },
    })) as Report['systems'],
    selection: { sample: 'all' },
  }
  return makeReport(run, [machine, ...loaded, ...records], [normalizer])
}

function exampleRecord(
  dataset: string,
  row: number,
  system: string,
  s: number,
  { texts, more }: ExampleOptions,
): UtteranceRecord {
  const [reference, text] = texts(row, s)
  const seconds = 1 + ((7 * row) % 23)
  const compute = seconds * (0.05 + 0.02 * s)
  const timing = { mel: 0.1, encoder: 0.3, prefill: 0.2, decode: 0.4 }
  return {
    ...{ kind: 'utterance', dataset, system, setting: `setting-${s}`, machine: 'm' },
    ...{ id: `clip-${row}`, row, key: `key ${row}`, speaker: `speaker ${row % 5}` },
    ...{ reference, text, seconds, compute },
    pieces: [
      {
        ...{ start: 0, raw: text, language: 'English', hasMarker: true, saysNone: false },
        ...{ generated: 10, ending: 'end', firstToken: compute / 2 },
        timing: {
          mel: compute * timing.mel,
          encoder: compute * timing.encoder,
          prefill: compute * timing.prefill,
          decode: compute * timing.decode,
        },
      },
    ],
    ...more?.(row, s),
  }
}
