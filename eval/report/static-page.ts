// SPDX-License-Identifier: Apache-2.0

import { htmlPage } from './html-page.ts'
import { pageStyle } from './page-style.ts'

/** Content Security Policy: its own style and nothing else. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

/** Without a script no column sorts, and on narrow screens each cell says its column. */
const STYLE = '@container (max-width: 62rem) { thead, thead tr { display: none } }'

/**
 * A page in the look of the report, light or dark, that needs only itself and runs no script.
 * @param body HTML
 */
export async function staticPage(title: string, body: string): Promise<string> {
  return htmlPage({ title, policy: POLICY, style: (await pageStyle()) + STYLE, body })
}
