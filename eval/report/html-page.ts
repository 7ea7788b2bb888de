// SPDX-License-Identifier: Apache-2.0

import { htmlText } from './html.ts'

/** What a page is made of: HTML, except the title. */
interface Parts {
  readonly title: string
  /** Content Security Policy */
  readonly policy: string
  readonly style: string
  readonly body: string
}

/** A whole HTML page that needs only itself. */
export function htmlPage({ title, policy, style, body }: Parts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlText(title)}</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`
}
