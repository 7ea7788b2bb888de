// SPDX-License-Identifier: Apache-2.0

/** What the hub puts into a new repository. */
const PATTERNS =
  `*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy
  *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar
  *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*`.split(/\s+/)

const LFS = 'filter=lfs diff=lfs merge=lfs -text'

export const DEFAULT_ATTRIBUTES = PATTERNS.map((pattern) => `${pattern} ${LFS}\n`).join('')

/** Whether a path goes to large file storage by these attributes; the last pattern that fits decides. */
export function isLfsPath(attributes: string, path: string): boolean {
  let isLfs = false
  for (const line of attributes.split('\n')) {
    const [pattern = '', ...values] = line.trim().split(/\s+/)
    if (pattern === '' || pattern.startsWith('#') || !fits(pattern, path)) continue
    if (values.includes('filter=lfs')) isLfs = true
    else if (values.some((value) => ['-filter', '!filter'].includes(value))) isLfs = false
  }
  return isLfs
}

/** The attributes with a line for a large file that no pattern covers. */
export function withPath(attributes: string, path: string): string {
  if (isLfsPath(attributes, path)) return attributes
  const start = attributes === '' || attributes.endsWith('\n') ? attributes : `${attributes}\n`
  return `${start}${path.replaceAll(' ', '[[:space:]]')} ${LFS}\n`
}

/** A pattern without a slash is about the name, in any folder (gitattributes(5), gitignore(5)). */
function fits(pattern: string, path: string): boolean {
  const source = pattern
    .replace(/^\//, '')
    .replaceAll('[[:space:]]', '\0')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (wild) => WILDCARDS[wild] ?? wild)
    .replaceAll('\0', '\\s')
  return new RegExp(`^${source}$`).test(pattern.includes('/') ? path : path.slice(path.lastIndexOf('/') + 1))
}

const WILDCARDS: Readonly<Record<string, string>> = {
  '**/': '(?:.*/)?',
  '**': '.*',
  '*': '[^/]*',
  '?': '[^/]',
}
