// SPDX-License-Identifier: Apache-2.0

/** The name that a misspelt one is nearest to, if it is near to any. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const close = names.map((name) => ({ name, steps: distance(word, name) })).sort((a, b) => a.steps - b.steps)
  const [best] = close
  const allowed = word.length < 4 ? 1 : Math.max(2, word.length / 3)
  return best && best.steps <= allowed ? best.name : undefined
}

/** Letters to put in, take out or change (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
