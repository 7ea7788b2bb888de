import { joinTranscripts } from './audio/pieces.ts'

/**
 * Tells what comes to the text of all pieces in their order, whatever order they are decoded in.
 * @param count of pieces
 * @returns takes what a piece says so far, and whether that is all
 */
export function tellInOrder(count: number, onText: (added: string) => void) {
  const texts = new Array<string>(count).fill('')
  const isDone = new Array<boolean>(count).fill(false)
  const told = new Array<string>(count).fill('')
  /** pieces that are told whole: what a piece said before a loop was cut out of it is not taken back */
  let open = 0
  let end = ''
  return (piece: number, text: string, done: boolean) => {
    texts[piece] = text
    isDone[piece] = done
    for (; open < count; open++) {
      const [said, known] = [texts[open] as string, told[open] as string]
      if (said.startsWith(known) && said !== known) {
        const joined = known === '' ? joinTranscripts([end, said]) : said
        onText(joined.slice(known === '' ? end.length : known.length))
        told[open] = said
        end = lastOf(said)
      }
      if (!isDone[open]) return
    }
  }
}

/** As much of a text as decides how another is joined to it. */
function lastOf(text: string): string {
  return [...text].at(-1) ?? ''
}
