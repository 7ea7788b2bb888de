// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { isJsonObject, shown } from './json-value.ts'

/* Schemas of JSON values, whose messages say what is wanted. */

/** true or false */
export const truth = v.boolean('true or false')
/** A string, the empty one included. */
export const text = v.string('a string')
/** A finite number or an infinity, not NaN. */
export const number = v.number('a number')

/** A whole number within limits, both included. */
export function whole(least: number, most: number) {
  const wanted = least === most ? `${least}` : `a whole number from ${least} to ${most}`
  return v.pipe(v.number(wanted), v.integer(wanted), v.minValue(least, wanted), v.maxValue(most, wanted))
}

/** How many there are of something. */
export const count = whole(0, Number.MAX_SAFE_INTEGER)

/** Exactly this text. */
export function exactly<const Text extends string>(value: Text) {
  return v.literal(value, JSON.stringify(value))
}

/** A finite number above 0. */
export function positive(below = Number.POSITIVE_INFINITY) {
  const wanted = Number.isFinite(below) ? `a number above 0 and below ${below}` : 'a finite number above 0'
  const above = v.pipe(v.number(wanted), v.finite(wanted), v.gtValue(0, wanted))
  return Number.isFinite(below) ? v.pipe(above, v.ltValue(below, wanted)) : above
}

/** A value with what it means, for reference documentation. */
export function about<Schema extends v.GenericSchema>(meaning: string, schema: Schema) {
  return v.pipe(schema, v.description(meaning))
}

/** An object with these keys, of which others may stand beside. */
export function section<Entries extends v.ObjectEntries>(entries: Entries) {
  return notArray(keyed(entries), OBJECT)
}

/** The same as one of several, among which a key decides. */
export function keyed<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.looseObject(entries, wantedOf(entries))
}

/** The same, of which only these keys are kept. */
export function shape<Entries extends v.ObjectEntries>(entries: Entries) {
  return notArray(v.object(entries, wantedOf(entries)), OBJECT)
}

/** An object with any keys, whose values are alike. */
export function dictionary<Item extends v.GenericSchema>(item: Item, wanted = OBJECT) {
  return notArray(v.record(v.string(), item, wanted), wanted)
}

/** The same, with at least one key. */
export function record<Item extends v.GenericSchema>(item: Item) {
  const wanted = 'an object with at least one key'
  return v.pipe(dictionary(item, wanted), v.minEntries(1, wanted))
}

const OBJECT = 'an object'

/** What an object schema reports as wanted: of a key that is missing, what the key's own schema reports. */
export function wantedOf(entries: v.ObjectEntries) {
  return ({ path }: v.BaseIssue<unknown>): string => {
    const schema = path && entries[String(path[0].key)]
    return schema ? (v.safeParse(schema, undefined).issues?.[0].message ?? 'a value') : OBJECT
  }
}

/** To the library an array is an object too. */
function notArray<Schema extends v.GenericSchema>(schema: Schema, wanted: string) {
  return v.pipe(v.custom<v.InferInput<Schema>>(isJsonObject, wanted), schema)
}

/** An array of such items; the items are checked one by one. */
export function list<Item extends v.GenericSchema>(item: Item) {
  return v.array(item, 'an array')
}

/** What a schema lets pass, for readers. */
export type Parsed<Schema extends v.GenericSchema> = ReadonlyDeep<v.InferOutput<Schema>>

type ReadonlyDeep<T> = T extends object ? { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> } : T

/** Where a value stands, for messages: a file, and what comes before its keys. */
export interface Place {
  readonly file: string
  readonly prefix?: string
}

/**
 * Check a value against a schema.
 * @param fail makes the error of a sentence that names the first key that is wrong, its value and what is wanted
 */
export function checkedAs<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  place: Place,
  fail: (message: string) => Error,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  throw fail(sentenceOf(result.issues[0], place))
}

/** The same sentence for every key that is wrong or missing; none for a value that is right. */
export function problemsOf(schema: v.GenericSchema, value: unknown, place: Place): string[] {
  const { issues = [] } = v.safeParse(schema, value, { abortPipeEarly: true })
  return issues.map((issue) => sentenceOf(issue, place))
}

function sentenceOf(issue: v.BaseIssue<unknown>, { file, prefix = '' }: Place): string {
  const path = (issue.path ?? []).map(({ key }) => String(key))
  const key = path.length === 0 ? prefix.replace(/\.$/, '') : prefix + path.join('.')
  if (issue.input === undefined && issue.received === 'undefined')
    return `${file}: ${key} is missing, wanted ${issue.message}.`
  return wrongValue({ file, key, found: issue.input, wanted: issue.message })
}

/** A key of a file with a wrong value. */
export interface WrongValue {
  readonly file: string
  /** '' for the file's whole value */
  readonly key: string
  readonly found: unknown
  readonly wanted: string
}

/** A sentence that names a key, its value and what is wanted. */
export function wrongValue({ file, key, found, wanted }: WrongValue): string {
  return `${file}${key === '' ? ' holds' : `: ${key} is`} ${shown(found)}, wanted ${wanted}.`
}
