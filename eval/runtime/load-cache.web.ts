// SPDX-License-Identifier: Apache-2.0

import type * as Cache from './load-cache.ts'

/* A page keeps nothing of what it computes when it loads. */

/** A cache that nothing is large enough for. */
export const usualCache: typeof Cache.usualCache = () => ({ folder: '', smallest: Number.POSITIVE_INFINITY })
