// SPDX-License-Identifier: Apache-2.0

type OptionalOf<T> = { [K in keyof T]: undefined extends T[K] ? K : never }[keyof T]

/** Fields some of which may lack a value, as an object in which those are left out. */
export type Defined<T> = Omit<T, OptionalOf<T>> & { [K in OptionalOf<T>]?: Exclude<T[K], undefined> }

/** The fields that have a value, in their order. */
export function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
