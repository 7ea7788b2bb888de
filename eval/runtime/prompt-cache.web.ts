import type * as Cache from './prompt-cache.ts'

/* Prompts of a page have no weights in 8 bits. */

export const usualCache: typeof Cache.usualCache = () => ({ folder: '', smallest: Number.POSITIVE_INFINITY })
export const findStored: typeof Cache.findStored = async () => undefined
export const makeStored: typeof Cache.makeStored = async () => undefined
