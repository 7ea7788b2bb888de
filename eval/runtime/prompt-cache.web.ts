// SPDX-License-Identifier: Apache-2.0

import type * as Cache from './prompt-cache.ts'

/* Prompts of a page have no weights in 8 bits. */

/** A cache that nothing is large enough for. */
export const usualCache: typeof Cache.usualCache = () => ({ folder: '', smallest: Number.POSITIVE_INFINITY })
/** Nothing is ever stored. */
export const findStored: typeof Cache.findStored = async () => undefined
/** Nothing is ever stored. */
export const makeStored: typeof Cache.makeStored = async () => undefined
