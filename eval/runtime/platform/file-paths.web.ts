import type * as Paths from './file-paths.ts'

/* Paths in a browser: a folder's name, a slash, a file's name. */

export const join: typeof Paths.join = (...parts) => parts.join('/')
export const basename: typeof Paths.basename = (path) => path.slice(path.lastIndexOf('/') + 1)
export const dirname: typeof Paths.dirname = (path) => path.slice(0, path.lastIndexOf('/'))
export const realPath: typeof Paths.realPath = (path) => path
export const pathOf: typeof Paths.pathOf = (url) => {
  throw new TypeError(`${url} cannot be read in a browser.`)
}
