// SPDX-License-Identifier: Apache-2.0

import type { Reporter, TestModule } from 'vitest/node'

/** Ends the output with "N passed, N failed, N skipped", and fails a run in which no test passed. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    )
    const count = (state: string) => states.filter((found) => found === state).length
    const broken = modules.filter((module) => module.errors().length > 0).length
    process.stdout.write(
      `\n${count('passed')} passed, ${count('failed') + broken} failed, ${count('skipped')} skipped\n`,
    )
    if (count('passed') === 0) process.exitCode = 1
  }
}
