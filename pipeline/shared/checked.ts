// SPDX-License-Identifier: Apache-2.0

import type * as v from 'valibot'
import { parseChecked } from '../../eval/checked-json.ts'
import { checkedAs, type Parsed, type Place, wrongValue } from '../../eval/runtime/schema.ts'
import { Failure, failing } from './failure.ts'

/**
 * Check a value against a schema.
 * @throws Failure naming the first key that is wrong, its value and what is wanted
 */
export function checked<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  { hint = '', ...place }: Place & { readonly hint?: string },
): v.InferOutput<Schema> {
  return checkedAs(schema, value, place, failing(hint))
}

/**
 * The value of a JSON text.
 * @param file for messages
 * @throws Failure as {@link checked}, and when it is not JSON
 */
export function checkedText<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  { file, hint }: { readonly file: string; readonly hint: string },
): Parsed<Schema> {
  return parseChecked(schema, text, file, failing(hint))
}

/** A refusal that names the key, its value and what is wanted. */
export function wrong({
  hint,
  ...found
}: Parameters<typeof wrongValue>[0] & { readonly hint: string }): Failure {
  return new Failure(wrongValue(found), hint)
}
