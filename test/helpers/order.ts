import { readFile } from 'node:fs/promises'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** A file that says so waits for what prepare.ts makes, or starts commands that need it. */
const WAITS = /helpers\/(cli|ffmpeg|prepared|referee|terminal|tiny-release)\.ts'|python-client/

/** Files that need nothing come first: the rest is prepared meanwhile. */
export class PreparedLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const sources = await Promise.all(sorted.map(({ moduleId }) => readFile(moduleId, 'utf8')))
    const waits = (at: number) => WAITS.test(sources[at] ?? '')
    return [...sorted.filter((_, at) => !waits(at)), ...sorted.filter((_, at) => waits(at))]
  }
}
