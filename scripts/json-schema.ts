// SPDX-License-Identifier: Apache-2.0

import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import type * as v from 'valibot'
import { READER_CONFIG, RELEASE_CONFIG } from '../eval/runtime/config-schema.ts'
import { MANIFEST_SCHEMA } from '../pipeline/release/manifest-schema.ts'

/** A file in JSON that a release holds, as it is documented. */
interface Documented {
  readonly name: string
  /** that describes it */
  readonly source: string
  readonly about: string
  readonly schema: v.GenericSchema
  /** what the runtime reads of it, where that is not all */
  readonly reader?: v.GenericSchema
}

const DOCUMENTED: readonly Documented[] = [
  {
    name: 'config',
    source: 'eval/runtime/config-schema.ts',
    about: 'How to run the graphs of a release: sizes, the mel spectrogram, token ids, the embedding table.',
    schema: RELEASE_CONFIG,
    reader: READER_CONFIG,
  },
  {
    name: 'manifest',
    source: 'pipeline/release/manifest-schema.ts',
    about: 'Every file of a release with its hash, what it was made of, and what was measured on it.',
    schema: MANIFEST_SCHEMA,
  },
]

/** The published JSON Schemas and their reference pages: path in the project, content. */
export function schemaFiles(): Map<string, string> {
  return new Map(
    DOCUMENTED.flatMap((file) => {
      return [
        [`docs/schema/${file.name}.schema.json`, `${JSON.stringify(published(file), undefined, 2)}\n`],
        [`docs/${file.name}-json.md`, page(file)],
      ] as const
    }),
  )
}

function published({ name, about, schema }: Documented): object {
  const { $schema, ...rest } = toJson(schema)
  return { $schema, title: `${name}.json of a qwen3-asr-onnx release`, description: about, ...rest }
}

/** Checks that JSON Schema cannot express are left out: names that Windows reserves, and each name once. */
function toJson(schema: v.GenericSchema): JsonSchema {
  const ignoreActions = ['check', 'raw_check', 'finite']
  return toJsonSchema(schema, { target: 'draft-2020-12', typeMode: 'output', ignoreActions })
}

function page({ name, source, about, schema, reader }: Documented): string {
  const read = new Set(reader && rowsOf(toJson(reader)).map(({ path }) => path))
  const header = ['key', 'type', 'required', ...(reader ? ['runtime'] : []), 'meaning']
  const rows = rowsOf(toJson(schema)).map(({ path, type, isRequired, meaning }) => [
    ...[`\`${path}\``, type, isRequired ? 'yes' : 'no'],
    ...(reader ? [read.has(path) ? 'reads it' : ''] : []),
    meaning,
  ])
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return `# ${name}.json

${about}

\`npm run schemas\` makes this page and the [JSON Schema](schema/${name}.schema.json) (draft 2020-12) from \`${source}\`;
do not edit them. \`[]\` stands for each element of an array, \`*\` for any key. Readers ignore keys that are not listed.

${[line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')}
`
}

interface Row {
  readonly path: string
  readonly type: string
  readonly isRequired: boolean
  readonly meaning: string
}

/** Every key below an object, each before those below it. */
function rowsOf({ properties = {}, required = [] }: JsonSchema, prefix = ''): Row[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const path = prefix + key
    const isRequired = required.includes(key)
    if (typeof schema === 'boolean') return []
    return [
      { path, type: typeName(schema), isRequired, meaning: schema.description ?? '' },
      ...below(schema, path),
    ]
  })
}

function below(schema: JsonSchema, path: string): Row[] {
  const { items, additionalProperties: values } = schema
  if (typeof items === 'object' && !Array.isArray(items)) return below(items, `${path}[]`)
  if (typeof values === 'object') return below(values, `${path}.*`)
  return rowsOf(schema, `${path}.`)
}

function typeName(schema: JsonSchema | boolean): string {
  if (typeof schema === 'boolean') return 'any'
  const { type, enum: choices, anyOf, items, prefixItems, additionalProperties: values } = schema
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (choices) return choices.map((choice) => `\`${JSON.stringify(choice)}\``).join(', ')
  if (anyOf) return anyOf.map(typeName).join(' or ')
  if (prefixItems) return `[${prefixItems.map(typeName).join('; ')}]`
  if (typeof items === 'object' && !Array.isArray(items)) return `array of ${typeName(items)}`
  if (typeof values === 'object') return `object, each value: ${typeName(values)}`
  if (schema.minimum !== undefined && schema.minimum === schema.maximum) return `\`${schema.minimum}\``
  return String(type) + rangeOf(schema)
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, pattern }: JsonSchema): string {
  const limits = [
    minimum !== undefined && `from ${minimum}`,
    maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && `to ${maximum}`,
    exclusiveMinimum !== undefined && `above ${exclusiveMinimum}`,
    exclusiveMaximum !== undefined && `below ${exclusiveMaximum}`,
    pattern !== undefined && `\`${pattern}\``,
  ].filter((limit) => typeof limit === 'string')
  return limits.length > 0 ? ` ${limits.join(' ')}` : ''
}
