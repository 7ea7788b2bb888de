// SPDX-License-Identifier: Apache-2.0

/* Asynchronous work, several at a time. */

/** Files that are read at a time: far below the limit of open files. */
const FILES = 16

/** What `work` makes of every item, in their order, a few at a time. */
export async function mapFiles<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length)
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const i = next++
      results[i] = await work(items[i] as T).catch((error) => {
        next = items.length // no more are begun
        throw error
      })
    }
  }
  await endAll(Array.from({ length: Math.min(FILES, items.length) }, lane))
  return results
}

/** As Promise.all, but the others have ended too when it rejects: no work continues after the error. */
export async function endAll<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}
