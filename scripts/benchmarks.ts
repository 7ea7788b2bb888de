import { EXIT, Failure } from '../pipeline/failure.ts'
import { reportError, say } from '../pipeline/terminal.ts'

/* npm run bench -- NAME: each benchmark is a script of its own. */

interface Benchmark {
  readonly script: string
  readonly describe: string
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  graph: { script: './bench.ts', describe: "the graph tools against Python's onnx" },
  eval: { script: './bench-eval.ts', describe: 'audio, mel and the decoding loop around the model' },
  decode: {
    script: './bench-decode.ts',
    describe: 'the fused layout against the split one, in Node and Python',
  },
  package: { script: './bench-package.ts', describe: 'archives against gzip and pigz' },
  publish: { script: './bench-publish.ts', describe: 'uploads against the Python client' },
}

const HELP = [
  'npm run bench -- NAME [options]',
  '',
  'Measure a part of this project against others, on this machine.',
  '',
  ...Object.entries(BENCHMARKS).map(([name, { describe }]) => `  ${name.padEnd(8)} ${describe}`),
  '',
  'npm run bench -- NAME --help lists the options of one.',
]

process.exitCode = await main(process.argv.slice(2))

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === 'help') {
    say(HELP)
    return EXIT.done
  }
  try {
    const { script } = (Object.hasOwn(BENCHMARKS, name) && BENCHMARKS[name]) || refuse(name)
    await import(script)
    return Number(process.exitCode ?? EXIT.done)
  } catch (error) {
    return reportError(error, args)
  }
}

function refuse(name: string): never {
  throw new Failure(
    name === '' || name.startsWith('-')
      ? 'Found no name of a benchmark.'
      : `There is no benchmark ${JSON.stringify(name)}.`,
    `One of: ${Object.keys(BENCHMARKS).join(', ')}. npm run bench -- --help says what they measure.`,
    EXIT.usage,
  )
}
