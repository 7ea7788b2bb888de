import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** onnxruntime for browsers: on the processor alone, or with WebGPU too, which is twice the size. */
export const EDITIONS = ['wasm', 'webgpu'] as const
type Edition = (typeof EDITIONS)[number]

/** Files of onnxruntime-web that each edition loads, beside the bundle. */
export const RUNTIME_FILES: Readonly<Record<Edition, readonly string[]>> = {
  wasm: ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
  webgpu: ['ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'],
}

const COMMON = {
  absWorkingDir: ROOT,
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
 * Bundle the page's script, and the runtime's worker for each edition of onnxruntime, as NAME-EDITION.js.
 * @param pages scripts of the page by the name of their bundle
 * @returns folders of the packages whose code is in the bundles, such as "node_modules/valibot"
 * @throws the bundler's error, such as for a module of Node that a browser lacks
 */
export async function bundlePage(pages: Readonly<Record<string, string>>, outdir: string): Promise<string[]> {
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
  const packages = await bundle('wasm', pages)
  for (const edition of EDITIONS)
    packages.push(...(await bundle(edition, { [`worker-${edition}`]: 'eval/runtime/worker.ts' })))
  return [...new Set(packages)]
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
    inject: [join(ROOT, 'pipeline/page/node-globals.ts')],
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
