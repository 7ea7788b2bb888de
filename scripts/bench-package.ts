import { mkdtemp, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import yargs from 'yargs'
import { formatBytes } from '../pipeline/files.ts'
import { VARIANTS, type Variant, variantFiles, variantLabel } from '../pipeline/layout.ts'
import { PROJECT } from '../pipeline/models.ts'
import { tableLines } from '../pipeline/table.ts'
import { parseScript } from './command-line.ts'
import { median } from './median.ts'
import { watchMemory } from './tree-memory.ts'

/*
 * The archives of a release against tar | gzip -1 and tar | pigz on the same files, in one run, alternating:
 *   npm run bench -- package --model-dir output/qwen3-asr-0.6b
 * Whole processes, medians, warm page cache. pigz has to be on PATH (Debian: apt-get install pigz).
 */

const { modelDir, variant, rounds, work } = await parseScript(
  'npm run bench -- package',
  yargs()
    .usage('$0 --model-dir DIR\n\nThe archives of a release against tar | gzip and tar | pigz.')
    .option('model-dir', { type: 'string', demandOption: true, describe: 'a model directory at full size' })
    .option('variant', { choices: VARIANTS.map(variantLabel), default: 'int4', describe: 'which archive' })
    .option('rounds', { type: 'number', default: 3, describe: 'of which the medians are' })
    .option('work', { type: 'string', default: os.tmpdir(), describe: 'where the archives go' }),
  process.argv.slice(3),
)

interface Contender {
  readonly name: string
  command(out: string): readonly [program: string, args: readonly string[]]
}

const chosen = VARIANTS.find((name) => variantLabel(name) === variant) as Variant
const names = variantFiles(chosen, { prefillInt8: true })
const files = names.map((name) => join(modelDir, name))
const total = (await Promise.all(files.map((file) => stat(file)))).reduce((sum, { size }) => sum + size, 0)

const ours = (level: number): Contender => ({
  name: `package --level ${level}`,
  command(out) {
    const job = join(PROJECT, 'scripts', 'bench-package-job.ts')
    return [process.execPath, ['--import', import.meta.resolve('tsx'), job, out, String(level), ...files]]
  },
})

const piped = (compressor: string): Contender => ({
  name: `tar | ${compressor}`,
  command: (out) => [
    'bash',
    ['-o', 'pipefail', '-c', `tar -C "$0" -cf - "\${@:2}" | ${compressor} > "$1"`, modelDir, out, ...names],
  ],
})

const CONTENDERS = [ours(1), piped('gzip -1'), piped('pigz -1'), ours(6), piped('pigz -6')]

interface Measured {
  readonly seconds: number
  readonly bytes: number
  readonly mib: number
}

const root = await mkdtemp(join(work, 'qwen3-asr-onnx-bench-'))
try {
  const found = new Map<string, Measured[]>(CONTENDERS.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const contender of CONTENDERS) found.get(contender.name)?.push(await measure(contender))
  const rows = CONTENDERS.map(({ name }) => {
    const runs = found.get(name) ?? []
    const seconds = median(runs.map((run) => run.seconds))
    const [first] = runs
    return [
      ...[
        name,
        `${seconds.toFixed(1)} s`,
        `${formatBytes(total / seconds)}/s`,
        formatBytes(first?.bytes ?? 0),
      ],
      `${Math.max(...runs.map(({ mib }) => mib))} MiB`,
    ]
  })
  const columns = ['compressor', 'time', 'of input', 'archive', 'peak']
  process.stdout.write(`${tableLines(columns, rows).join('\n')}\n\n  ${describe()}\n`)
} finally {
  await rm(root, { recursive: true, force: true })
}

async function measure(contender: Contender): Promise<Measured> {
  const out = join(root, 'out.tar.gz')
  const [program, args] = contender.command(out)
  const started = performance.now()
  const child = execa(program, args)
  const memory = watchMemory(child.pid ?? 0)
  await child
  const seconds = (performance.now() - started) / 1000
  const mib = Math.round(memory().total / 1024)
  const { size } = await stat(out)
  await rm(out)
  return { seconds, bytes: size, mib }
}

function describe(): string {
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU'
  const what = `${basename(modelDir)}, ${variant}, ${formatBytes(total)}`
  return `${what}; medians of ${rounds}, ${cpu}, ${os.availableParallelism()} cores, Node ${process.versions.node}, warm page cache`
}
