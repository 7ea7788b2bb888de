// SPDX-License-Identifier: Apache-2.0

/** What a command with --json said on stdout. */
export function eventsOf(stdout: string): ReturnType<typeof JSON.parse>[] {
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}
