// SPDX-License-Identifier: Apache-2.0

import { divOf, element } from './dom.ts'

/**
 * Show what failed and what to do next, in its place on the page.
 * @param actions buttons that do it
 */
export function showProblem(id: string, error: unknown, actions: readonly HTMLElement[] = []): void {
  const place = divOf(id)
  const { message, hint = '' } = error as Error & { readonly hint?: string }
  const text = message === '' ? String(error) : message
  place.replaceChildren(
    element('p', '', text),
    ...(hint === '' ? [] : [element('p', 'hint', hint)]),
    ...(actions.length === 0 ? [] : [element('div', 'row', ...actions)]),
  )
  place.hidden = false
}

/** Hide what {@link showProblem} has shown in this place. */
export function hideProblem(id: string): void {
  const place = divOf(id)
  place.hidden = true
  place.replaceChildren()
}
