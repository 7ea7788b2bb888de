// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { dictionary, list, number, type Parsed, text, truth, wantedOf } from './runtime/schema.ts'

const KINDS = '"utterance", "system" or "machine"'

/** What is kept of a piece: its tokens counted, its text in the record's. */
const PIECE = fields({
  start: number,
  raw: text,
  language: v.optional(text),
  hasMarker: truth,
  saysNone: truth,
  generated: number,
  ending: v.picklist(['end', 'limit', 'loop'], '"end", "limit" or "loop"'),
  /** its text was that of the context, and is what was recognized without it */
  hasRecited: v.exactOptional(truth),
  loop: v.exactOptional(fields({ period: number, repeats: number })),
  timing: fields({ mel: number, encoder: number, prefill: number, decode: number }),
  firstToken: number,
})

/** Seconds from the start of the utterance. */
const WORDS = list(fields({ text, start: number, end: number }))

/** One utterance transcribed by one system: a line of results.jsonl. */
const UTTERANCE = fields({
  kind: v.literal('utterance', KINDS),
  dataset: text,
  system: text,
  /** of what transcribed it and how; see {@link SystemRecord} */
  setting: text,
  /** of the machine; see {@link MachineRecord} */
  machine: text,
  id: text,
  row: number,
  key: text,
  speaker: v.exactOptional(text),
  reference: text,
  /** of audio; 0 when it could not be read */
  seconds: number,
  /** sha256 of the samples, float32 at 16 kHz: not of engines, and not in older results */
  samples: v.exactOptional(text),
  /** the hypothesis; empty when there is none, and of aligners, which are given the reference */
  text,
  language: v.exactOptional(text),
  /** of the hypothesis, with their times, and of aligners of the reference; not of engines, nor of releases without times of words */
  words: v.exactOptional(WORDS),
  /** of the reference, where the dataset has times */
  referenceWords: v.exactOptional(WORDS),
  /** seconds of compute: all of a piece's parts, or the wall time of an engine's command */
  compute: number,
  /** one unless the recording was split; none for engines and aligners, and when there is a problem */
  pieces: list(PIECE),
  /** parts of `compute`, of aligners alone: `prefill` is the aligner's graph */
  timing: v.exactOptional(fields({ mel: number, encoder: number, prefill: number })),
  /** what is odd in the recording */
  warnings: v.exactOptional(list(text)),
  /** why an aligner's times may be wrong */
  doubts: v.exactOptional(list(text)),
  /** of the list that was given as context; none where the utterance has no list, or lists were not used */
  hotwords: v.exactOptional(fields({ rare: list(text), list: list(text) })),
  /** why there is no hypothesis */
  problem: v.exactOptional(text),
})

/** A system was made ready on a machine. */
const SYSTEM = fields({
  kind: v.literal('system', KINDS),
  system: text,
  setting: text,
  machine: text,
  /** everything that decides about text and speed */
  settings: dictionary(v.unknown()),
  /** until all workers have loaded it; undefined for engines */
  loadSeconds: v.exactOptional(number),
  /** of the whole process, from loading on, in bytes */
  peakMemory: v.exactOptional(number),
})

/** Where figures were measured. No host name, user or path. */
export const MACHINE = fields({
  cpu: text,
  cores: number,
  /** instruction sets that decide how fast the runtime is */
  features: list(text),
  memoryGiB: number,
  platform: text,
  node: text,
  onnxruntime: text,
  executionProvider: text,
  /** of each worker */
  threads: number,
  /** that ran side by side, each with sessions of its own */
  workers: number,
})

const MACHINE_RECORD = fields({ kind: v.literal('machine', KINDS), id: text, machine: MACHINE })

/** A line of results.jsonl. */
export const RESULT = v.variant('kind', [UTTERANCE, SYSTEM, MACHINE_RECORD], ({ path }) =>
  path ? KINDS : 'an object',
)

/** A piece of a long recording, within the record of its utterance. */
export type PieceRecord = Parsed<typeof PIECE>
/** What a system made of one utterance. */
export type UtteranceRecord = Parsed<typeof UTTERANCE>
/** A system was made ready on a machine. */
export type SystemRecord = Parsed<typeof SYSTEM>
/** A machine that figures were measured on. */
export type MachineRecord = Parsed<typeof MACHINE_RECORD>
/** A line of results.jsonl, as it was read. */
export type ResultRecord = UtteranceRecord | SystemRecord | MachineRecord

/** An object of a file that may have 100,000 of them: faster than a shape, and an array has none of the keys. */
function fields<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.object(entries, wantedOf(entries))
}
