// SPDX-License-Identifier: Apache-2.0

import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { needsOf } from './needs.ts'
import { PREPARED, wishFor } from './wishes.ts'

/** Files that need nothing come first: what the rest needs is wished for at once, and prepared meanwhile. */
export class PreparedLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const needs = await Promise.all(sorted.map(({ moduleId }) => needsOf(moduleId)))
    for (const what of PREPARED) if (needs.some(({ prepared }) => prepared === what)) await wishFor(what)
    const waits = (at: number) => needs[at]?.prepared !== undefined
    return [...sorted.filter((_, at) => !waits(at)), ...sorted.filter((_, at) => waits(at))]
  }
}
