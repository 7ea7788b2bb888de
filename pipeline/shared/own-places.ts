// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { usualCache } from '../../eval/runtime/load-cache.ts'
import { IS_CHECKOUT, PROJECT } from '../../eval/runtime/project.ts'

/*
 * Where the commands write when nobody says so: in the checkout; for the installed program, whose own folder is the package manager's, in the folder
 * that it is called in.
 */

/** Parent of model directories. */
export const OUTPUT: string = join(IS_CHECKOUT ? PROJECT : process.cwd(), 'output')

/** The environment of Python that export and quantizer run in. */
export const VENV: string = IS_CHECKOUT ? join(PROJECT, '.venv') : join(usualCache().folder, 'python')
