// SPDX-License-Identifier: Apache-2.0

import { readFileSync, writeFileSync } from 'node:fs'

/** Begin a new peak of this process's resident memory, where the system can (Linux: proc(5), clear_refs). */
export function resetPeakMemory(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // elsewhere the peak is that of the process's life
  }
}

/** The highest resident memory of this process since {@link resetPeakMemory}, in bytes. */
export function peakMemory(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (kilobytes !== undefined) return Number(kilobytes) * 1024
  } catch {
    // no /proc
  }
  return process.resourceUsage().maxRSS * 1024
}
