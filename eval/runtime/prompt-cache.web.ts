// SPDX-License-Identifier: Apache-2.0

import type * as Cache from './prompt-cache.ts'

/* Prompts of a page have no weights in 8 bits. */

/** Nothing is ever stored. */
export const findStored: typeof Cache.findStored = async () => undefined
/** Nothing is ever stored. */
export const makeStored: typeof Cache.makeStored = async () => undefined
