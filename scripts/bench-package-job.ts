// SPDX-License-Identifier: Apache-2.0

import { writeArchive } from '../pipeline/release/archive/write-archive.ts'

/* One archive in a separate process, for bench-package.ts: OUT LEVEL FILE... */

const [out = '', level, ...files] = process.argv.slice(2)
await writeArchive(out, 'release', files, {
  level: Number(level),
  signal: new AbortController().signal,
  onProgress: () => {},
})
