// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { about, count, list, number, type Parsed, shape, text } from '../../eval/runtime/schema.ts'

const SHA256 = 'a SHA-256 of 64 hexadecimal digits in lower case'

/** An adapter that was merged into the checkpoint of a release. */
export const ADAPTER = shape({
  base: about(
    'The checkpoint that it was merged with.',
    shape({
      model: about('Its repository on the hub, or the name of its folder.', text),
      flag: about('How `--base` names it.', text),
      revision: v.exactOptional(about('Commit of the repository.', text)),
    }),
  ),
  rank: about('Rank of its products (`r`); modules may have others.', count),
  alpha: about('`lora_alpha`; modules may have others.', number),
  files: about(
    'Its files.',
    list(
      shape({
        file: about('Its name.', text),
        sha256: about('SHA-256 of its content.', v.pipe(v.string(SHA256), v.regex(/^[0-9a-f]{64}$/, SHA256))),
      }),
    ),
  ),
})

/** The base of an adapter, as cards and commands name it. */
export type AdapterBase = Parsed<typeof ADAPTER>['base']
