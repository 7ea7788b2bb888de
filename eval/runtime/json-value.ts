// SPDX-License-Identifier: Apache-2.0

/** An object of parsed JSON, whose values are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value is an object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const SHOWN = 60

/** A value as it stands in a message: JSON, cut when it is long. */
export function shown(value: unknown): string {
  if (typeof value === 'number') return String(value) // JSON has no NaN
  if (Array.isArray(value) && value.length > SHOWN) return `an array of ${value.length} values`
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN - 3)}...`
}
