// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { PROJECT } from '../../eval/runtime/project.ts'
import { licenseText } from './licenses.ts'
import { EDITIONS, type Edition, LICENSES, SCRIPTS } from './page-scripts.ts'

const COMMON = {
  absWorkingDir: PROJECT,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2023',
  minify: true,
  legalComments: 'none',
  logLevel: 'silent',
  charset: 'utf8',
  conditions: ['onnxruntime-web-use-extern-wasm'],
  // decoders look for Node's modules where they are in Node
  external: ['fs', 'path', 'crypto', 'worker_threads', 'module'],
} satisfies BuildOptions

/**
 * Bundle the page's scripts, and the runtime's worker for each edition of onnxruntime, as NAME-EDITION.js, with the licenses of what is in them.
 * @throws the bundler's error, such as for a module of Node that a browser lacks
 */
export async function bundleScripts(outdir: string): Promise<void> {
  const bundle = async (edition: Edition, entryPoints: Readonly<Record<string, string>>) => {
    const { metafile } = await build({
      ...COMMON,
      ...optionsOf(edition),
      entryPoints,
      outdir,
      metafile: true,
    })
    return packagesIn(metafile)
  }
  const packages = await bundle('wasm', SCRIPTS)
  for (const edition of EDITIONS)
    packages.push(...(await bundle(edition, { [`worker-${edition}`]: 'eval/runtime/worker.ts' })))
  await writeFile(join(outdir, LICENSES), await licenseText([...new Set(packages)]))
}

/** Of modules of which something was taken. */
function packagesIn({ outputs }: Metafile): string[] {
  const modules = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs))
  return modules.flatMap(([path, { bytesInOutput }]) => {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]
    return folder !== undefined && bytesInOutput > 0 ? [folder] : []
  })
}

function optionsOf(edition: Edition): BuildOptions {
  return {
    alias: { 'onnxruntime-web': `onnxruntime-web/${edition}` },
    inject: [join(PROJECT, 'pipeline/page/node-globals.ts')],
    plugins: [webModules, bufferWhereUsed],
  }
}

/** X.web.ts stands for X.ts where it is there: what a browser does in its own way. */
const webModules: Plugin = {
  name: 'web-modules',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, importer }) => {
      const web = resolve(dirname(importer), path.replace(/(\.web)?\.ts$/, '.web.ts'))
      return existsSync(web) ? { path: web } : undefined
    })
  },
}

/** npm's Buffer only defines itself, which its package does not say. */
const bufferWhereUsed: Plugin = {
  name: 'buffer-where-used',
  setup({ onResolve, resolve: find }) {
    onResolve({ filter: /^buffer\/$/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (pluginData === 'found') return undefined
      const found = await find(path, { kind, resolveDir, pluginData: 'found' })
      return { path: found.path, sideEffects: false }
    })
  },
}
