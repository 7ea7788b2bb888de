import { readFile } from 'node:fs/promises'
import { htmlText } from './html.ts'

/** Content Security Policy: its own style and nothing else. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

/** Without a script no column sorts, and on narrow screens each cell says its column. */
const STYLE = '@container (max-width: 62rem) { thead, thead tr { display: none } }'

/**
 * A page in the look of the report, light or dark, that needs nothing but itself and runs no script.
 * @param body HTML
 */
export async function staticPage(title: string, body: string): Promise<string> {
  const style = await readFile(new URL('./page.css', import.meta.url), 'utf8')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlText(title)}</title>
<style>${style}${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}
