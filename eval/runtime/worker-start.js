// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'

/*
 * Starts a module, the first argument, in a thread or process of its own. A source of TypeScript needs tsx, which a worker thread does not
 * inherit from its process on Node 20; a built package has JavaScript in its place.
 */
const [, , module] = process.argv
const { href } = new URL(module, import.meta.url)
const isSource = existsSync(new URL(href))
if (isSource && module.endsWith('.ts')) (await import('tsx/esm/api')).register()
await import(isSource ? href : href.replace(/\.ts$/, '.js'))
