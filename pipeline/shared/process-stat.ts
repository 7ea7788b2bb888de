// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'

/** What Linux says of a process (proc(5), /proc/PID/stat); every field is '' where it says nothing. */
export interface ProcessStat {
  /** Z and X have ended */
  readonly state: string
  readonly parent: string
  /** distinguishes processes that had the same number one after the other */
  readonly start: string
}

/** Read /proc/PID/stat. */
export function processStat(pid: number): ProcessStat {
  const [state = '', parent = '', ...fields] = fieldsOf(pid)
  return { state, parent, start: fields[17] ?? '' }
}

/** From field 3 on: the name before it may hold spaces and brackets. */
function fieldsOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
