// SPDX-License-Identifier: Apache-2.0

import { GraphError } from './graph-error.ts'
import type { Model } from './model.ts'

/**
 * Names that several initializers of one graph have, each once: names are single assignment within a graph, and readers
 * differ in which one they take.
 * @see https://github.com/onnx/onnx/blob/main/docs/IR.md "Names Within a Graph"
 */
export function duplicateNames({ bodies }: Pick<Model, 'bodies'>): string[] {
  const found = new Set<string>()
  for (const { initializers } of bodies) {
    const seen = new Set<string>()
    for (const { name } of initializers) {
      if (seen.has(name)) found.add(name)
      seen.add(name)
    }
  }
  return [...found]
}

/** What is wrong with such a model, in a sentence. */
export function duplicateProblem(name: string): string {
  return `Two initializers are named ${JSON.stringify(name)}.`
}

/**
 * Refuse to rewrite a model in which a name is defined twice: it is not clear which of them is meant. It can still be looked at.
 * @throws GraphError naming the first such name
 */
export function refuseDuplicates(model: Model): void {
  const [name] = duplicateNames(model)
  if (name === undefined) return
  throw new GraphError(
    `${model.path ?? 'The model'} is not rewritten: ${duplicateProblem(name)}`,
    'Readers differ in which of them they take. Give one another name first.',
  )
}
