// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { join } from 'node:path'

const above = join(import.meta.dirname, '..', '..')

/** Where this software's files are, with package.json: a checkout, or the folder of the installed package. */
export const PROJECT: string = existsSync(join(above, 'package.json')) ? above : join(above, '..')

/** Whether these are the sources, and not the JavaScript that was built of them in dist/. */
export const IS_CHECKOUT: boolean = PROJECT === above
