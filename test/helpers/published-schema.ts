// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { PROJECT } from '../../eval/runtime/project.ts'

/**
 * A JSON Schema of docs/schema, by a validator that shares nothing with the project's own schemas.
 * @returns what is wrong with a value, a sentence each
 */
export async function publishedValidator(name: 'config' | 'manifest'): Promise<(value: unknown) => string[]> {
  const schema = await readFile(join(PROJECT, 'docs', 'schema', `${name}.schema.json`), 'utf8')
  const validate = new Ajv2020({ allErrors: true, strict: true }).compile(JSON.parse(schema))
  return (value) => {
    validate(value)
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
  }
}
