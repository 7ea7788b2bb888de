// SPDX-License-Identifier: Apache-2.0

import { joinTranscripts } from './audio/pieces.ts'
import { JOINT } from './writing-system.ts'

/**
 * Emits what is added to the text of all pieces, in their order, whatever order they are decoded in.
 * @returns takes the number of a piece, what it says so far, and whether that is all
 */
export function tellInOrder(onText: (added: string) => void) {
  const texts: string[] = []
  const isDone: boolean[] = []
  const told: string[] = []
  /** pieces that are emitted whole: what was emitted of a piece before a loop was cut out of it is not taken back */
  let open = 0
  let end = ''
  return (piece: number, text: string, done: boolean) => {
    texts[piece] = text
    isDone[piece] = done
    for (; open < texts.length; open++) {
      const [said, known] = [texts[open] ?? '', told[open] ?? '']
      if (said.startsWith(known) && said !== known) {
        const joined = known === '' ? joinTranscripts([end, said]) : said
        onText(joined.slice(known === '' ? end.length : known.length))
        told[open] = said
        end = said.slice(-JOINT).trimStart()
      }
      if (!isDone[open]) return
    }
  }
}
