// SPDX-License-Identifier: Apache-2.0

import { copyFile, cp, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { PROJECT } from '../../eval/runtime/project.ts'
import { MADE } from './places.ts'

/*
 * The project's commands in plain JavaScript, module by module: the tests start hundreds, and each starts in half the time.
 * Bundles would run the modules in another order.
 */

const BUILT = join(MADE, 'commands')
const SOURCES = ['eval', 'graph-tools', 'pipeline', 'scripts', 'test/helpers'].map(
  (folder) => `${folder}/**/*.ts`,
)
const MODULE = /('\.\.?\/[^']+)\.ts'/g
/** Starts worker threads, with a module beside it. */
const STARTER = 'eval/runtime/worker-start.js'
const URL_OF_SOURCE = /(?<!worker-start\.js', )import\.meta\.url/g

/** Modules import each other's JavaScript, start workers with it, and find other files where the sources are. */
const asTheSources: Plugin = {
  name: 'as the sources',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const contents = (await readFile(path, 'utf8'))
        .replaceAll(MODULE, "$1.mjs'")
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.filename', JSON.stringify(path))
        .replaceAll(URL_OF_SOURCE, JSON.stringify(pathToFileURL(path).href))
      return { contents, loader: 'ts' }
    })
  },
}

/** Before the tests. */
export async function buildCommands(): Promise<void> {
  await build({
    ...{ absWorkingDir: PROJECT, entryPoints: SOURCES, outdir: BUILT, outbase: PROJECT },
    ...{
      platform: 'node',
      target: `node${process.versions.node}`,
      format: 'esm',
      outExtension: { '.js': '.mjs' },
    },
    ...{ plugins: [asTheSources], logLevel: 'warning' },
  })
  await copyFile(join(PROJECT, STARTER), join(BUILT, STARTER))
}

/** The JavaScript of a module that is named from the project's root, as `eval/pool.ts`. */
export function builtModule(source: string): string {
  return join(BUILT, source.replace(/\.ts$/, '.mjs'))
}

/** What `node` runs for a command of package.json, as `evaluate`. */
export function builtCommand(name: string): [program: string, command: string] {
  return [builtModule('pipeline/main.ts'), name]
}

/**
 * A copy of all commands in which one module is another.
 * @param edit makes its JavaScript
 * @returns finds a module in the copy, as {@link builtModule}
 */
export async function editedCommands(
  folder: string,
  source: string,
  edit: (code: string) => string,
): Promise<(source: string) => string> {
  const copy = join(MADE, folder) // below node_modules, to find its packages
  const module = (name: string) => join(copy, name.replace(/\.ts$/, '.mjs'))
  await cp(BUILT, copy, { recursive: true })
  await writeFile(module(source), edit(await readFile(builtModule(source), 'utf8')))
  return module
}
