// SPDX-License-Identifier: Apache-2.0

import { EXIT, Failure } from '../shared/failure.ts'
import { say } from '../shared/terminal.ts'
import { tellUntested } from './provider-list.ts'
import { runnable } from './run-command.ts'
import { parseTranscribe } from './transcribe-options.ts'

/** A reader who has gone ends it as Ctrl-C does, since a runtime at work does not like a sudden end. */
export const run = runnable({
  parse: parseTranscribe,
  stdout: 'results',
  endsWithReader: true,
  async run(options, output, signal) {
    const { transcribeFiles } = await import('../transcribe/transcribe-files.ts') // the command line answers at once
    const places = {
      isLive: process.stdout.isTTY === true,
      print: (text: string) => process.stdout.write(text),
      complain: (lines: readonly string[]) =>
        output.isJson ? output.note(lines.join('\n')) : say(lines, process.stderr),
      ...(output.isJson && { report: (facts: object) => output.report(facts, () => []) }),
    }
    tellUntested(options.provider, output.note)
    const failures = await transcribeFiles(options, places, signal)
    if (failures === 0) return EXIT.done
    return new Failure(`${failures} of ${options.files.length} recordings could not be transcribed.`)
  },
})
