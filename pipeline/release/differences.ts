// SPDX-License-Identifier: Apache-2.0

import { isModelFile } from './manifest.ts'
import type { Manifest } from './manifest-schema.ts'

/* A published release against the one of this machine. */

/** How two releases of one model differ. */
export interface Differences {
  /** file, what about it */
  readonly rows: readonly (readonly [string, string])[]
  readonly same: number
  /** of them, files of the model: figures in documents differ with every run */
  readonly inModel: number
}

/** Compare what is published with what is here, by their manifests; both were checked against their files. */
export function differencesOf(published: Manifest, local: Manifest): Differences {
  const here = new Map(local.files.map((file) => [file.path, file]))
  const there = new Map(published.files.map((file) => [file.path, file]))
  const rows: [string, string][] = []
  let [same, inModel] = [0, 0]
  for (const path of [...new Set([...there.keys(), ...here.keys()])].sort()) {
    const [remote, mine] = [there.get(path), here.get(path)]
    if (remote?.sha256 === mine?.sha256) {
      same++
      continue
    }
    const file = remote ?? mine
    if (file && isModelFile(file)) inModel++
    if (!remote) rows.push([path, 'only here'])
    else if (!mine) rows.push([path, 'only published'])
    else
      rows.push([
        path,
        remote.size === mine.size ? 'other bytes' : `${remote.size} bytes there, ${mine.size} here`,
      ])
  }
  return { rows: [...rows, ...settingRows(published, local)], same, inModel }
}

/** Why they may differ. */
function settingRows(published: Manifest, local: Manifest): [string, string][] {
  const flat = ({ source, options, tools, software }: Manifest): Record<string, unknown> => ({
    ...{ model: source.model, revision: source.revision ?? 'none', base: baseOf(source) },
    adapter: adapterOf(source),
    ...options,
    ...tools,
    software: software?.version ?? 'not named',
  })
  const [there, here] = [flat(published), flat(local)]
  return [...new Set([...Object.keys(there), ...Object.keys(here)])]
    .filter((key) => there[key] !== here[key])
    .map((key) => [key, `${there[key]} there, ${here[key]} here`])
}

function adapterOf({ adapter }: Manifest['source']): string {
  return adapter?.files.map(({ sha256 }) => sha256.slice(0, 12)).join(' ') ?? 'none'
}

/** Of an adapter, what it was merged with. */
function baseOf({ adapter }: Manifest['source']): string {
  if (adapter === undefined) return 'none'
  const { model, revision } = adapter.base
  return revision === undefined ? model : `${model} at ${revision}`
}
