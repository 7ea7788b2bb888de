// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'

/** The file that pins Python packages, as {@link pinnedVersions} reads it. */
export const REQUIREMENTS = join(PROJECT, 'python', 'requirements.txt')

/** Name to version of the packages that python/requirements.txt pins. */
export async function pinnedVersions(): Promise<Map<string, string>> {
  const pins = (await readFile(REQUIREMENTS, 'utf8')).matchAll(/^([\w.-]+)==(\S+)/gm)
  return new Map(Array.from(pins, ([, name = '', pin = '']) => [name, pin]))
}
