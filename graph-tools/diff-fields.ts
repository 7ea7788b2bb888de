// SPDX-License-Identifier: Apache-2.0

import type { Model } from './model.ts'
import { sameBytes } from './same-bytes.ts'
import type { Region } from './splice.ts'
import { fields } from './wire.ts'

/** One message of one model. */
export interface Message {
  readonly model: Model
  readonly region: Pick<Region, 'start' | 'end'>
}

/** A message from the region of a model where its fields are. */
export function messageOf(model: Model, region: Message['region']): Message {
  return { model, region }
}

/** Payloads up to here are compared in memory. */
const SMALL = 1 << 16

/**
 * Fields, by name, that two messages do not have in common: other bytes, another number of them, or another order.
 * Fields that no schema of this toolkit has are compared too.
 * @param schema the message's fields by name
 * @param except fields that are compared elsewhere
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export async function differingFields(
  a: Message,
  b: Message,
  schema: Readonly<Record<string, number>>,
  except: readonly string[],
): Promise<string[]> {
  const skipped = new Set(except.map((name) => schema[name] ?? 0))
  const [left, right] = [spansByField(a, skipped), spansByField(b, skipped)]
  const names = new Map(Object.entries(schema).map(([name, number]) => [number, name]))
  const found: string[] = []
  for (const number of new Set([...left.keys(), ...right.keys()])) {
    if (await sameSpans(a.model, left.get(number) ?? [], b.model, right.get(number) ?? [])) continue
    found.push(snakeCase(names.get(number) ?? `field ${number}`))
  }
  return found
}

/** One line when two values are not the same. */
export function differing(what: string, a: unknown, b: unknown): string[] {
  return a === b ? [] : [`${what}: ${a} -> ${b}`]
}

/** A payload, with its wire type: the same bytes are something else as another type. */
type FieldSpan = readonly [start: number, end: number, wireType: number]

/** What follows a group's start up to the next field is the group. */
function spansByField(
  { model: { bytes }, region }: Message,
  skipped: ReadonlySet<number>,
): Map<number, FieldSpan[]> {
  const all = [...fields(bytes, region.start, region.end)]
  const spans = new Map<number, FieldSpan[]>()
  for (const [i, { number, start, wireType }] of all.entries()) {
    if (skipped.has(number)) continue
    const end = all[i + 1]?.tagStart ?? region.end
    const own = spans.get(number) ?? []
    own.push([start, end, wireType])
    spans.set(number, own)
  }
  return spans
}

async function sameSpans(
  a: Model,
  left: readonly FieldSpan[],
  b: Model,
  right: readonly FieldSpan[],
): Promise<boolean> {
  if (left.length !== right.length) return false
  for (const [i, one] of left.entries()) {
    const other = right[i]
    if (!other || one[2] !== other[2] || !(await sameSpan(a, one, b, other))) return false
  }
  return true
}

async function sameSpan(
  a: Model,
  [start, end]: FieldSpan,
  b: Model,
  [from, to]: FieldSpan,
): Promise<boolean> {
  if (end - start !== to - from) return false
  if (end - start > SMALL) return sameBytes(a.bytes.slice(start, end), b.bytes.slice(from, to))
  return Buffer.compare(a.bytes.read(start, end), b.bytes.read(from, to)) === 0
}

/** As onnx.proto spells them: doc_string. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
