// SPDX-License-Identifier: Apache-2.0

/**
 * The text of a JSON object with one member set, every other byte as it was.
 * @param text an object that JSON.parse takes
 */
export function setMember(text: string, key: string, value: unknown): string {
  const members = membersOf(text)
  const wanted = valueText(value)
  const old = members.filter((member) => member.key === key).at(-1) // the one that JSON.parse takes
  if (old) return text.slice(0, old.start) + wanted + text.slice(old.end)
  const [open, [first, last]] = [text.indexOf('{') + 1, [members[0], members.at(-1)]]
  if (!first || !last) return `${text.slice(0, open)}${JSON.stringify(key)}: ${wanted}${text.slice(open)}`
  const before = text.slice(open, first.keyStart)
  const colon = text.slice(first.keyEnd, first.start)
  return `${text.slice(0, last.end)},${before}${JSON.stringify(key)}${colon}${wanted}${text.slice(last.end)}`
}

interface Member {
  readonly key: string
  readonly keyStart: number
  readonly keyEnd: number
  /** where its value starts and ends */
  readonly start: number
  readonly end: number
}

/** As people write a short list: [448, 128]. */
function valueText(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]`
    : JSON.stringify(value)
}

/** A string, a bracket, a colon or comma, a number or word. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g

function membersOf(text: string): Member[] {
  const members: Member[] = []
  let [depth, isKey] = [0, true]
  let key: { text: string; start: number; end: number } | undefined
  let span: { start: number; end: number } | undefined
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const end = index + token.length
    const isTop = depth === 1
    if (token === '}' || token === ']') depth--
    if (isTop && (token === ',' || depth === 0)) {
      if (key && span)
        members.push({ key: JSON.parse(key.text), keyStart: key.start, keyEnd: key.end, ...span })
      ;[key, span, isKey] = [undefined, undefined, true]
    } else if (isTop && token === ':') isKey = false
    else if (isTop && isKey) key = { text: token, start: index, end }
    else if (depth >= 1 && !isKey) span = { start: span?.start ?? index, end }
    if (token === '{' || token === '[') depth++
  }
  return members
}
