/** A piece of text with its place in the recording, in seconds. */
export interface TimedText {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Columns of a line and lines of a cue, as broadcasters' guides have them; a letter of East Asian width takes two. */
const [LINE, LINES] = [42, 2]
/** A cue may end at the end of a sentence from this many columns on. */
const SENTENCE = 30

/**
 * Cut text into subtitles, at ends of sentences where that fits and else between words. The model tells no times of words:
 * within a text, time is shared out by its length, so a cue is right as far as the text is spoken evenly.
 */
export function cuesOf(texts: readonly TimedText[]): TimedText[] {
  return texts.flatMap(({ start, end, text }) => {
    const cues = cutText(text)
    const total = cues.reduce((sum, cue) => sum + columns(cue), 0)
    let done = 0
    const timeAt = () => start + ((end - start) * done) / total
    return cues.map((cue): TimedText => {
      const from = timeAt()
      done += columns(cue)
      return { start: from, end: timeAt(), text: lines(cue).join('\n') }
    })
  })
}

/** SubRip: a number, the times and the text of each cue, and an empty line. */
export function srt(cues: readonly TimedText[]): string {
  return cues
    .map(({ start, end, text }, i) => `${i + 1}\n${clock(start)} --> ${clock(end)}\n${text}\n`)
    .join('\n')
}

/** Cues of at most {@link LINES} lines. */
function cutText(text: string): string[] {
  const cues: string[] = []
  let cue = ''
  for (const word of wordsOf(text)) {
    if (cue !== '' && lines((cue + word).trim()).length > LINES) {
      cues.push(cue.trim())
      cue = ''
    }
    cue += word
    if (!/[.!?。！？…]["'”’)]*\s*$/u.test(cue) || columns(cue.trim()) < SENTENCE) continue
    cues.push(cue.trim())
    cue = ''
  }
  if (cue.trim() !== '') cues.push(cue.trim())
  return cues
}

/** Lines of at most {@link LINE} columns; a longer word stands alone. */
function lines(text: string): string[] {
  const done: string[] = []
  let line = ''
  for (const word of wordsOf(text)) {
    if (line !== '' && columns((line + word).trim()) > LINE) {
      done.push(line.trim())
      line = ''
    }
    line += word
  }
  return [...done, line.trim()]
}

/** What a line may be broken behind: words with the space after them; each letter of a script that has no spaces. */
function wordsOf(text: string): string[] {
  return (
    text.match(
      /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}][\p{P}\s]*|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+\s*|\s+/gu,
    ) ?? []
  )
}

function columns(text: string): number {
  const wide = text.match(
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uff60]/gu,
  )
  return [...text].length + (wide?.length ?? 0)
}

function clock(seconds: number): string {
  const total = Math.round(seconds * 1000)
  const part = (size: number, of: number, digits: number) =>
    String(Math.floor(total / size) % of).padStart(digits, '0')
  return `${part(3_600_000, 1e9, 2)}:${part(60_000, 60, 2)}:${part(1000, 60, 2)},${part(1, 1000, 3)}`
}
