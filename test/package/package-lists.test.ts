// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'

/* The lists of packages in package.json. */

const manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
const { dependencies, devDependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
  manifest

it('has an exact version of each package that it was tested with', () => {
  const all = { ...dependencies, ...devDependencies, ...optionalDependencies }
  for (const [name, version] of Object.entries(all)) expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
})

it('takes as peers what it was tested with, and newer; the page was built for one version', () => {
  for (const [name, range] of Object.entries(peerDependencies)) {
    const tested = devDependencies[name]
    expect(range, name).toBe(name === 'onnxruntime-web' ? tested : `^${tested}`)
    expect(peerDependenciesMeta[name], name).toEqual({ optional: true })
  }
})
