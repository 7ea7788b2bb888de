// SPDX-License-Identifier: Apache-2.0

/** A line of an installer that says something about bytes. */
export type InstallerLine =
  | { readonly kind: 'fetching'; readonly name: string; readonly bytes: number }
  /** a file of this machine, whose size the line does not have */
  | { readonly kind: 'local'; readonly name: string; readonly path: string }
  | { readonly kind: 'bytes'; readonly done: number; readonly total: number }
  | { readonly kind: 'fetched'; readonly name: string }
  | { readonly kind: 'installing'; readonly packages: number }

/** pip writes decimal units, uv binary ones. */
const UNITS: Readonly<Record<string, number>> = {
  ...{ bytes: 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
}

/**
 * What a line of pip (20 to 26) or uv says: pip names a wheel and its size when it begins to fetch it, and with
 * `--progress-bar raw` its bytes; uv names packages of a megabyte and more.
 * @returns undefined for all other lines
 */
export function parseInstallerLine(line: string): InstallerLine | undefined {
  const [, place = '', value = '', unit = ''] =
    /^\s*(?:Downloading|Using cached) (\S+) \(([\d.]+) ?(bytes|[kMG]?B|[KMG]iB)\)\s*$/.exec(line) ?? []
  if (place !== '' && !place.endsWith('.metadata'))
    return { kind: 'fetching', name: packageOf(place), bytes: Math.round(Number(value) * (UNITS[unit] ?? 0)) }
  const [, path = ''] = /^Processing (\S+\.(?:whl|tar\.gz|zip))(?: |$)/.exec(line) ?? []
  if (path !== '') return { kind: 'local', name: packageOf(path), path: path.replace(/^file:\/\//, '') }
  const [, done, total] = /^Progress (\d+) of (\d+)$/.exec(line) ?? []
  if (total !== undefined) return { kind: 'bytes', done: Number(done), total: Number(total) }
  const [, fetched] = /^\s*Downloaded (\S+)\s*$/.exec(line) ?? []
  if (fetched !== undefined) return { kind: 'fetched', name: packageOf(fetched) }
  const [, list] = /^Installing collected packages: (.+)$/.exec(line) ?? []
  if (list !== undefined) return { kind: 'installing', packages: list.split(',').length }
  return undefined
}

/** "torch 2.13.0+cpu" of a wheel's address or path; uv gives names alone. */
function packageOf(place: string): string {
  const file = decodeURIComponent(place.replace(/[?#].*$/, '').replace(/^.*[\\/]/, ''))
  const [name = file, version] = file.replace(/\.(whl|tar\.gz|zip)$/, '').split('-')
  return version === undefined || !/^\d/.test(version) ? file : `${name} ${version}`
}
