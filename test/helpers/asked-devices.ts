// SPDX-License-Identifier: Apache-2.0

import { subscribe } from 'node:diagnostics_channel'
import { openRelease } from '../../eval/runtime/release.ts'
import { usualVariant } from '../../eval/runtime/usual-variant.ts'

/* FOLDER: the variant that is taken on webgpu, asked for twice, and how many processes were started to find out, as JSON. */

let children = 0
subscribe('child_process', () => {
  children++
})
const release = await openRelease(process.argv[2] ?? '', 'asr')
await usualVariant(release, 'webgpu')
const { name: variant } = await usualVariant(release, 'webgpu')
process.stdout.write(JSON.stringify({ variant, children }))
