// SPDX-License-Identifier: Apache-2.0

/** A copy of a JSON value in which one key is missing, or has a value of another type. */
export interface Mutant {
  /** joined by dots; of arrays, the first element */
  readonly path: string
  /** undefined: the key is missing */
  readonly found: unknown
  readonly value: unknown
}

const OTHERS: readonly unknown[] = [null, true, 7.5, 'x', [], {}]

/** Every mutant of a value, one key after the other. */
export function mutantsOf(root: object): Mutant[] {
  const places: (readonly string[])[] = []
  collect(root, [], places)
  return places.flatMap((place) => {
    const old = place.reduce<unknown>((value, key) => Reflect.get(Object(value), key), root)
    const others = OTHERS.filter((other) => typeName(other) !== typeName(old))
    const isElement = place.at(-1) === '0'
    return [...(isElement ? [] : [undefined]), ...others].map((found) => ({
      path: place.join('.'),
      found,
      value: changed(root, place, found),
    }))
  })
}

function collect(value: unknown, place: readonly string[], places: (readonly string[])[]): void {
  if (place.length > 0) places.push(place)
  if (Array.isArray(value)) {
    if (value.length > 0) collect(value[0], [...place, '0'], places)
  } else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) collect(item, [...place, key], places)
}

function changed(value: unknown, [key, ...rest]: readonly string[], found: unknown): unknown {
  if (key === undefined) return found
  const copy: unknown = Array.isArray(value) ? [...value] : { ...Object(value) }
  const inner = rest.length === 0 ? found : changed(Reflect.get(Object(value), key), rest, found)
  Reflect.set(Object(copy), key, inner) // JSON leaves out what is undefined
  return copy
}

function typeName(value: unknown): string {
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
}
