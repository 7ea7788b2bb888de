/** Word counts of an alignment. words = hits + substitutions + deletions. */
export interface WordErrors {
  readonly hits: number
  readonly substitutions: number
  readonly deletions: number
  readonly insertions: number
  readonly words: number
}

export const NO_ERRORS: WordErrors = { hits: 0, substitutions: 0, deletions: 0, insertions: 0, words: 0 }

/**
 * Minimum-edit alignment of a hypothesis with its reference (Levenshtein; all errors cost 1). Among equal
 * alignments a hit or substitution is preferred, then a deletion, then an insertion.
 */
export function alignWords(reference: readonly string[], hypothesis: readonly string[]): WordErrors {
  const cost = costTable(reference, hypothesis)
  const width = hypothesis.length + 1
  const at = (i: number, j: number) => cost[i * width + j] ?? 0
  let [i, j] = [reference.length, hypothesis.length]
  const count = { hits: 0, substitutions: 0, deletions: 0, insertions: 0 }
  while (i > 0 || j > 0) {
    const same = reference[i - 1] === hypothesis[j - 1]
    if (i > 0 && j > 0 && at(i, j) === at(i - 1, j - 1) + (same ? 0 : 1)) {
      count[same ? 'hits' : 'substitutions']++
      i--
      j--
    } else if (i > 0 && at(i, j) === at(i - 1, j) + 1) {
      count.deletions++
      i--
    } else {
      count.insertions++
      j--
    }
  }
  return { ...count, words: reference.length }
}

/** Corpus counts: errors of all utterances over words of all, as jiwer sums them. */
export function addErrors(a: WordErrors, b: WordErrors): WordErrors {
  return {
    hits: a.hits + b.hits,
    substitutions: a.substitutions + b.substitutions,
    deletions: a.deletions + b.deletions,
    insertions: a.insertions + b.insertions,
    words: a.words + b.words,
  }
}

/** (substitutions + deletions + insertions) / words; NaN without words. */
export function wordErrorRate(errors: WordErrors): number {
  return (errors.substitutions + errors.deletions + errors.insertions) / errors.words
}

function costTable(reference: readonly string[], hypothesis: readonly string[]): Uint32Array {
  const width = hypothesis.length + 1
  const cost = new Uint32Array((reference.length + 1) * width)
  for (let j = 1; j < width; j++) cost[j] = j
  for (let i = 1; i <= reference.length; i++) {
    cost[i * width] = i
    for (let j = 1; j < width; j++) {
      const diagonal =
        (cost[(i - 1) * width + j - 1] as number) + (reference[i - 1] === hypothesis[j - 1] ? 0 : 1)
      const up = (cost[(i - 1) * width + j] as number) + 1
      const left = (cost[i * width + j - 1] as number) + 1
      cost[i * width + j] = Math.min(diagonal, up, left)
    }
  }
  return cost
}
