// SPDX-License-Identifier: Apache-2.0

import { parse } from 'yaml'
import { isObject } from './state.ts'

/** What the hub says about the front matter of a model card. */
export interface CardCheck {
  readonly errors: readonly { readonly message: string }[]
  readonly warnings: readonly { readonly message: string }[]
}

export function checkCard(content: string): CardCheck {
  const text = /^---[ \t]*\r?\n(.*?)(?:^|\r?\n)---[ \t]*(?:\r?\n|$)/ms.exec(content)?.[1]
  if (text === undefined || !content.startsWith('---'))
    return { errors: [], warnings: [{ message: 'empty or missing yaml metadata in repo card' }] }
  const errors = [...problemsOf(text)].map((message) => ({ message }))
  return { errors, warnings: [] }
}

const isString = (value: unknown) => typeof value === 'string'
const isStrings = (value: unknown) => Array.isArray(value) && value.every(isString)
const isOneOrMore = (value: unknown) => isString(value) || isStrings(value)

const KEYS: readonly (readonly [
  key: string,
  isFine: (value: unknown) => boolean,
  must: string,
  isRequired?: boolean,
])[] = [
  ['license', isString, 'must be a string', true],
  ['license_name', isString, 'must be a string'],
  ['license_link', isString, 'must be a string'],
  ['tags', isStrings, 'must be an array of strings'],
  ['language', isOneOrMore, 'must be a string or an array of strings'],
  ['base_model', isOneOrMore, 'must be a string or an array of strings'],
  ['datasets', isOneOrMore, 'must be a string or an array of strings'],
  ['metrics', isOneOrMore, 'must be a string or an array of strings'],
  ['pipeline_tag', isString, 'must be a string'],
  ['library_name', isString, 'must be a string'],
]

function* problemsOf(text: string): Generator<string> {
  let data: unknown
  try {
    data = parse(text)
  } catch (error) {
    yield `invalid YAML: ${error instanceof Error ? error.message : error}`
    return
  }
  if (!isObject(data)) {
    yield 'the metadata must be a mapping'
    return
  }
  for (const [key, isFine, must, isRequired] of KEYS) {
    if (data[key] === undefined && !isRequired) continue
    if (!isFine(data[key])) yield `"${key}" ${must}`
  }
  if (data['model-index'] !== undefined) yield* problemsOfIndex(data['model-index'])
}

function* problemsOfIndex(index: unknown): Generator<string> {
  if (!Array.isArray(index)) {
    yield '"model-index" must be an array'
    return
  }
  for (const [i, entry] of index.entries()) {
    const at = `model-index[${i}]`
    if (!isString(valueAt(entry, 'name'))) yield `"${at}.name" must be a string`
    const results = valueAt(entry, 'results')
    if (!Array.isArray(results)) yield `"${at}.results" must be an array`
    else for (const [j, result] of results.entries()) yield* problemsOfResult(`${at}.results[${j}]`, result)
  }
}

function* problemsOfResult(at: string, result: unknown): Generator<string> {
  for (const [part, key] of [
    ['task', 'type'],
    ['dataset', 'type'],
    ['dataset', 'name'],
  ] as const)
    if (!isString(valueAt(valueAt(result, part), key))) yield `"${at}.${part}.${key}" is required`
  const metrics = valueAt(result, 'metrics')
  if (!Array.isArray(metrics)) yield `"${at}.metrics" must be an array`
  else
    for (const [k, metric] of metrics.entries()) {
      if (!isString(valueAt(metric, 'type'))) yield `"${at}.metrics[${k}].type" is required`
      const value = valueAt(metric, 'value')
      if (value === undefined || value === null) yield `"${at}.metrics[${k}].value" is required`
    }
}

function valueAt(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined
}
