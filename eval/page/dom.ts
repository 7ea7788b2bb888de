// SPDX-License-Identifier: Apache-2.0

/* What the page's parts share to read and write its elements. */

/**
 * The element of index.html with this id, of the kind that is expected.
 * @throws Error when index.html lacks it
 */
export function byId<Kind extends HTMLElement>(id: string, kind: abstract new () => Kind): Kind {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`index.html lacks #${id}.`)
}

/** The element of index.html with this id. @throws Error when index.html lacks it */
export const divOf = (id: string): HTMLElement => byId(id, HTMLElement)
/** The button of index.html with this id. @throws Error when index.html lacks it */
export const buttonOf = (id: string): HTMLButtonElement => byId(id, HTMLButtonElement)
/** The input of index.html with this id. @throws Error when index.html lacks it */
export const inputOf = (id: string): HTMLInputElement => byId(id, HTMLInputElement)
/** The select of index.html with this id. @throws Error when index.html lacks it */
export const selectOf = (id: string): HTMLSelectElement => byId(id, HTMLSelectElement)

/** A new element with its class, text and children. Text is never read as HTML. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  ...children: (string | Node)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

/** Text of others: its direction ends where it ends. */
export function bdi(text: string): HTMLElement {
  return element('bdi', '', text)
}

/** A new button that submits nothing. */
export function button(text: string, onClick: () => unknown): HTMLButtonElement {
  const made = element('button', '', text)
  made.type = 'button'
  made.addEventListener('click', onClick)
  return made
}

/** What `<meta name>` of index.html says, '' when it does not. */
export function metaOf(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? ''
}

/** Announce a change to users of a screen reader: once for a step, since each text is read out. */
export function announce(text: string): void {
  divOf('status').textContent = text
}

/** Hand a text to the user as a file. */
export function saveAs(name: string, text: string, type: string): void {
  const link = element('a')
  link.href = URL.createObjectURL(new Blob([text], { type }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
