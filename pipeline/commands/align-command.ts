// SPDX-License-Identifier: Apache-2.0

import { EXIT } from '../shared/failure.ts'
import { say } from '../shared/terminal.ts'
import { parseAlign } from './align-options.ts'
import { tellUntested } from './provider-list.ts'
import { runnable } from './run-command.ts'

/** The command `npm run align`. */
export const run = runnable({
  parse: parseAlign,
  stdout: 'results',
  endsWithReader: true,
  async run(options, output, signal) {
    // the command line answers at once
    const { alignFile, alignedContent, alignedObject } = await import('../transcribe/align-file.ts')
    tellUntested(options.provider, output.note)
    const aligned = await alignFile(options, signal)
    const warnings = aligned.warnings.map((note) => `warning: ${aligned.file}: ${note}`)
    if (output.isJson) {
      if (warnings.length > 0) output.note(warnings.join('\n'))
      output.report(alignedObject(aligned), () => [])
      return EXIT.done
    }
    if (warnings.length > 0) say(warnings, process.stderr)
    process.stdout.write(alignedContent(aligned, options.format))
    return EXIT.done
  },
})
