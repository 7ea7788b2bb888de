// SPDX-License-Identifier: Apache-2.0

import { rename } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** What Windows says of a file that another process has open, as virus scanners and indexers do for a moment. */
const HELD = new Set(['EACCES', 'EPERM', 'EBUSY'])
const PATIENCE_MS = 3000
const PAUSE_MS = 50

/** What differs between systems, for tests. */
export interface RenameOptions {
  /** whether a file that is open cannot be replaced; so it is on Windows */
  readonly holdsOpenFiles?: boolean
  /** rename(2) by default */
  readonly move?: (from: string, to: string) => Promise<void>
}

/**
 * Rename a file over another one. On Windows it is tried again for three seconds while another process has one of the two open.
 * @throws the system's error
 */
export async function renameOver(from: string, to: string, options: RenameOptions = {}): Promise<void> {
  const { holdsOpenFiles = process.platform === 'win32', move = rename } = options
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await move(from, to)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!holdsOpenFiles || !HELD.has(code) || performance.now() > end) throw error
      await sleep(PAUSE_MS)
    }
  }
}
