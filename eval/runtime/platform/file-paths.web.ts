// SPDX-License-Identifier: Apache-2.0

import type * as Paths from './file-paths.ts'

/* Paths in a browser: a folder's name, a slash, a file's name. */

/** The parts with slashes between them, as they are. */
export const join: typeof Paths.join = (...parts) => parts.join('/')
/** What follows the last slash. */
export const basename: typeof Paths.basename = (path) => path.slice(path.lastIndexOf('/') + 1)
/** What precedes the last slash. */
export const dirname: typeof Paths.dirname = (path) => path.slice(0, path.lastIndexOf('/'))
/** The path itself: there are no links. */
export const realPath: typeof Paths.realPath = (path) => path
/** Files of a URL are not read in a browser. @throws TypeError always */
export const pathOf: typeof Paths.pathOf = (url) => {
  throw new TypeError(`${url} cannot be read in a browser.`)
}
