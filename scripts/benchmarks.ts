/* npm run bench -- NAME: each benchmark is a script of its own. */

const BENCHMARKS: Readonly<Record<string, string>> = {
  graph: './bench.ts',
  eval: './bench-eval.ts',
  decode: './bench-decode.ts',
  package: './bench-package.ts',
  publish: './bench-publish.ts',
}

const name = process.argv[2] ?? ''
const script = BENCHMARKS[name]
if (script === undefined) {
  process.stderr.write(
    `error: There is no benchmark "${name}".\nhint: One of: ${Object.keys(BENCHMARKS).join(', ')}\n`,
  )
  process.exitCode = 2
} else await import(script)
