import type { Machine } from './machine.ts'
import type { Piece } from './recognize.ts'

/** What is kept of a piece: its tokens counted, its text in the record's. */
export type PieceRecord = Omit<Piece, 'tokens' | 'text' | 'speech'>

/** One utterance transcribed by one system: a line of results.jsonl. */
export interface UtteranceRecord {
  readonly kind: 'utterance'
  readonly dataset: string
  readonly system: string
  /** of what transcribed it and how; see {@link SystemRecord} */
  readonly setting: string
  /** of the machine; see {@link MachineRecord} */
  readonly machine: string
  readonly id: string
  readonly row: number
  readonly key: string
  readonly speaker?: string
  readonly reference: string
  /** of audio; 0 when it could not be read */
  readonly seconds: number
  /** the hypothesis; empty when there is none */
  readonly text: string
  readonly language?: string
  /** seconds of compute: all of a piece's parts, or the wall time of an engine's command */
  readonly compute: number
  /** one unless the recording was split; none for engines, and when there is a problem */
  readonly pieces: readonly PieceRecord[]
  /** what is odd in the recording */
  readonly warnings?: readonly string[]
  /** why there is no hypothesis */
  readonly problem?: string
}

/** A system was made ready on a machine. */
export interface SystemRecord {
  readonly kind: 'system'
  readonly system: string
  readonly setting: string
  readonly machine: string
  /** everything that decides about text and speed */
  readonly settings: Readonly<Record<string, unknown>>
  /** until all workers have loaded it; undefined for engines */
  readonly loadSeconds?: number
  /** of the whole process, from loading on, in bytes */
  readonly peakMemory?: number
}

export interface MachineRecord {
  readonly kind: 'machine'
  readonly id: string
  readonly machine: Machine
}

export type ResultRecord = UtteranceRecord | SystemRecord | MachineRecord
