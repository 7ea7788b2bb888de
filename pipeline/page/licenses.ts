// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'

/**
 * The licenses of the packages whose code is in the page, which most of them require to be distributed with it.
 * @param packages folders of packages, such as "node_modules/valibot"
 */
export async function licenseText(packages: readonly string[]): Promise<string> {
  const own = await licenseOf('.', 'This project')
  const others = await Promise.all([...packages].sort().map((folder) => licenseOf(folder)))
  return [own, ...others].join(`\n${'-'.repeat(80)}\n\n`)
}

async function licenseOf(folder: string, title?: string): Promise<string> {
  const path = join(PROJECT, folder)
  const {
    name,
    version,
    license,
    homepage = '',
    author,
  } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'))
  const files = (await readdir(path)).filter((file) => /^(license|licence|copying|notice)/i.test(file))
  const texts = await Promise.all(files.map((file) => readFile(join(path, file), 'utf8')))
  const by = typeof author === 'string' ? author : (author?.name ?? '')
  const head = [title ?? `${name} ${version}`, String(license), by, homepage].filter((line) => line !== '')
  return [head.join('\n'), ...texts.map((text) => text.trim())].join('\n\n').concat('\n')
}
