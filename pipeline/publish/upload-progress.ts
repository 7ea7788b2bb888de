// SPDX-License-Identifier: Apache-2.0

import type { Emit } from '../shared/events.ts'

/** How far back the rate looks: long enough to be calm, short enough to follow. */
const WINDOW_MS = 15_000
const EMIT_MS = 250

type Phase = 'preuploading' | 'uploadingLargeFiles' | 'committing'

/** Bytes on their way, with rate and time left. */
export class Progress {
  readonly #emit: Emit
  readonly #samples: { readonly at: number; readonly sent: number }[] = []
  readonly #hashed = new Map<string, number>()
  readonly #xet = new Map<string, number>()
  #total = 0
  #sent = 0
  #toSend = 0
  #stored = 0
  #lastEmit = 0

  constructor(emit: Emit) {
    this.#emit = emit
  }

  /** A run begins. @param total bytes of all files of the plan */
  begin(total: number): void {
    this.#total = total
    this.#toSend = 0
    this.#sent = 0
    this.#samples.length = 0
    this.#hashed.clear()
    this.#xet.clear()
  }

  /** Objects that were stored whole, of all runs. */
  stored(): number {
    return this.#stored
  }

  addStored(): void {
    this.#stored++
    this.#tell(true)
  }

  hashed(path: string, bytes: number): void {
    this.#hashed.set(path, bytes)
    if (!this.#isDue()) return
    const done = [...this.#hashed.values()].reduce((sum, bytes) => sum + bytes, 0)
    this.#emit({
      event: 'progress',
      what: 'sha256',
      done: Math.round(done),
      total: this.#total,
      unit: 'bytes',
    })
  }

  /** The storage lacks `bytes` more. */
  missing(bytes: number): void {
    this.#toSend += bytes
    this.#tell(true)
  }

  /** @param count of bytes that left, or are taken back when it is negative */
  add(count: number): void {
    this.#sent += count
    this.#tell(false)
  }

  /** With xet the library counts by itself. */
  xet(path: string, bytes: number): void {
    const before = this.#xet.get(path) ?? 0
    this.#xet.set(path, bytes)
    if (bytes > before) this.add(Math.round(bytes - before))
  }

  phase(phase: Phase): void {
    if (phase === 'committing')
      this.#emit({ event: 'progress', what: 'commit', done: 0, total: 1, unit: 'commits' })
  }

  #tell(always: boolean): void {
    if (this.#toSend === 0 || !(always || this.#isDue())) return
    const rate = this.#rate()
    this.#emit({
      event: 'progress',
      what: 'upload',
      done: Math.max(0, this.#sent),
      total: this.#toSend,
      unit: 'bytes',
      ...(rate > 0 && { perSecond: rate, secondsLeft: Math.max(0, this.#toSend - this.#sent) / rate }),
    })
  }

  #isDue(): boolean {
    const now = performance.now()
    if (now - this.#lastEmit < EMIT_MS) return false
    this.#lastEmit = now
    return true
  }

  /** Bytes a second of the last while. */
  #rate(): number {
    const now = performance.now()
    this.#samples.push({ at: now, sent: this.#sent })
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > WINDOW_MS) this.#samples.shift()
    const first = this.#samples[0] ?? { at: now, sent: this.#sent }
    return now - first.at < 1 ? 0 : Math.max(0, (1000 * (this.#sent - first.sent)) / (now - first.at))
  }
}
