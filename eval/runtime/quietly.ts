// SPDX-License-Identifier: Apache-2.0

/** Call a library that writes to the console what it also returns or throws. `work` is synchronous. */
export function quietly<T>(work: () => T): T {
  const { log, warn, error } = console
  const silent = () => {}
  Object.assign(console, { log: silent, warn: silent, error: silent })
  try {
    return work()
  } finally {
    Object.assign(console, { log, warn, error })
  }
}
