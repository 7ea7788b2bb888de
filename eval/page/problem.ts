import { divOf, element } from './dom.ts'

/** Show what failed and what to do next, in its place on the page. */
export function showProblem(id: string, error: unknown): void {
  const place = divOf(id)
  const { message, hint = '' } = error as Error & { readonly hint?: string }
  const text = message === '' ? String(error) : message
  place.replaceChildren(element('p', '', text), ...(hint === '' ? [] : [element('p', 'hint', hint)]))
  place.hidden = false
}

export function hideProblem(id: string): void {
  const place = divOf(id)
  place.hidden = true
  place.replaceChildren()
}
