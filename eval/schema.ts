import * as v from 'valibot'
import { isJsonObject, shown } from './json-value.ts'

/** Schemas of one value, whose messages say what is wanted. */
export const truth = v.boolean('true or false')
export const text = v.string('a string')

/** A whole number within limits, both included. */
export function whole(least: number, most: number) {
  const wanted = least === most ? `${least}` : `a whole number from ${least} to ${most}`
  return v.pipe(v.number(wanted), v.integer(wanted), v.minValue(least, wanted), v.maxValue(most, wanted))
}

/** A finite number above 0. */
export function positive(below = Number.POSITIVE_INFINITY) {
  const wanted = Number.isFinite(below) ? `a number above 0 and below ${below}` : 'a finite number above 0'
  return v.pipe(
    v.number(wanted),
    v.finite(wanted),
    v.check((value) => value > 0 && value < below, wanted),
  )
}

const OBJECT = 'an object'

/** An object with these keys, of which others may stand beside. */
export function section<Entries extends v.ObjectEntries>(entries: Entries) {
  const object = v.looseObject(entries, OBJECT)
  return v.pipe(v.custom<v.InferInput<typeof object>>(isJsonObject, OBJECT), object) // an array is an object to it
}

/** The same, of which only these keys are kept. */
export function shape<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.object(entries, OBJECT)
}

/** An object with any keys, at least one, whose values are alike. */
export function record<Item extends v.GenericSchema>(item: Item) {
  const wanted = 'an object with at least one key'
  const object = v.record(v.string(), item, wanted)
  return v.pipe(
    v.custom<v.InferInput<typeof object>>(
      (value) => isJsonObject(value) && Object.keys(value).length > 0,
      wanted,
    ),
    object,
  )
}

export function list<Item extends v.GenericSchema>(item: Item) {
  return v.array(item, 'an array')
}

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
  { file, prefix = '' }: Place,
  fail: (message: string) => Error,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const path = (issue.path ?? []).map(({ key }) => String(key))
  const key = prefix + path.join('.')
  if (issue.input === undefined && issue.received === 'undefined')
    throw fail(`${file}: ${key} is missing, wanted ${wantedAt(schema, path)}.`)
  throw fail(wrongValue({ file, key, found: issue.input, wanted: issue.message }))
}

/** A sentence that names a key, its value and what is wanted. */
export function wrongValue(wrong: {
  readonly file: string
  readonly key: string
  readonly found: unknown
  readonly wanted: string
}): string {
  const { file, key, found, wanted } = wrong
  return `${file}: ${key} is ${shown(found)}, wanted ${wanted}.`
}

/** What the schema wants at a path: an issue about a missing key has the message of the object around it. */
function wantedAt(schema: v.GenericSchema, path: readonly string[]): string {
  let at: unknown = schema
  for (const key of path) {
    while (hasField(at, 'wrapped')) at = at.wrapped
    if (hasField(at, 'pipe') && Array.isArray(at.pipe)) at = at.pipe.find((item) => hasField(item, 'entries'))
    if (hasField(at, 'items') && Array.isArray(at.items)) at = at.items[Number(key)]
    else at = hasField(at, 'entries') && isJsonObject(at.entries) ? at.entries[key] : undefined
  }
  if (!isSchema(at)) return 'a value'
  return v.safeParse(at, undefined).issues?.[0].message ?? 'a value'
}

function isSchema(value: unknown): value is v.GenericSchema {
  return hasField(value, '~run')
}

function hasField<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value
}
