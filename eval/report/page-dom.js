// SPDX-License-Identifier: Apache-2.0

/* Runs in the page: what the other scripts share. */
/** The element of the page with this id; null where there is none. */
export const byId = (id) => document.getElementById(id)
/** What listUtterances has written into the page, as JSON. */
export const data = JSON.parse(byId('data').textContent)
/** systems by name; utterances as listed.ts describes them */
export const { systems, utterances } = data

/** A new element with its class, text and children. Text is never read as HTML. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag)
  if (className) made.className = className
  made.append(...children)
  return made
}

/** Text of others: its direction ends where it ends. */
export function bdi(text, className = '') {
  return element('bdi', className, text)
}

/** A name, of which a long one shows its first lines. */
export function nameOf(text) {
  const made = bdi(text)
  if (text.length > 60) {
    made.className = 'clamped'
    made.title = text
  }
  return made
}

/** The whole of a name that is shown by its two ends. */
export function wholeText(cell) {
  return cell.querySelector('bdi')?.title || cell.textContent
}

/** For options and attributes, which hold text alone: no controls of direction but a pair around it. */
export function isolated(text) {
  return `\u2068${text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '').replace(/\p{Cc}/gu, ' ')}\u2069`
}

/** A new button with its class, text and children, which submits nothing. */
export function button(className, ...children) {
  const made = element('button', className, ...children)
  made.type = 'button'
  return made
}

/** Text that only screen readers have. */
export function hidden(...children) {
  return element('span', 'hidden', ...children)
}

/** "1 word", "2 words". */
export function plural(count, noun) {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** Announced by screen readers. */
export function announce(text) {
  byId('status').textContent = text
}
