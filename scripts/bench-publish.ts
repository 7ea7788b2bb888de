// SPDX-License-Identifier: Apache-2.0

import { mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import os from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { text as schemaText, shape } from '../eval/runtime/schema.ts'
import { type CommandLine, number, text } from '../pipeline/commands/arguments.ts'
import { isModelFile, readManifest } from '../pipeline/release/manifest.ts'
import { findRelease } from '../pipeline/release/release-files.ts'
import { checkedText } from '../pipeline/shared/checked.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { formatBytes } from '../pipeline/shared/output-files.ts'
import { tableLines } from '../pipeline/shared/text-table.ts'
import { median } from './median.ts'
import { script } from './run-script.ts'
import { watchMemory } from './tree-memory.ts'

/*
 * Publishing a release against the official Python client's upload_folder of the same files, in one run, alternating.
 * Both send to the stand-in of the hub on this machine, which hashes what it gets:
 *   npm run bench -- publish --model-dir output/qwen3-asr-0.6b
 * Whole commands, each to an empty repository of a new server; medians. Ours checks every file before, and reads
 * samples back; Python does neither. Plain LFS on both sides.
 */

const LINE: CommandLine = {
  command: 'npm run bench -- publish',
  usage: '--model-dir DIR [options]',
  about: 'Measure publishing to a stand-in of the hub against the Python client.',
}

const OPTIONS = {
  'model-dir': { ...text('a packaged model directory at full size'), demandOption: true },
  rounds: { ...number('of which the medians are'), default: 3 },
  work: { ...text('where the links and the stored objects go'), default: os.tmpdir() },
} as const

/** Where things are. */
interface Folders {
  readonly modelDir: string
  /** the files as the repository has them */
  readonly flat: string
  /** goes away in the end */
  readonly root: string
  readonly work: string
}

const REPO = 'tester/bench-onnx'
const PYTHON = `
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(sys.argv[1], exist_ok=True)
api.upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2])`

const SERVER = shape({ url: schemaText, token: schemaText })

interface Contender {
  readonly name: string
  command(folders: Folders): readonly [program: string, args: readonly string[]]
}

const CONTENDERS: readonly Contender[] = [
  {
    name: 'publish',
    command: ({ modelDir, root }) => {
      const main = join(PROJECT, 'pipeline', 'main.ts')
      const args = [
        'publish',
        modelDir,
        '--repo',
        REPO,
        '--allow-ungated',
        '--receipt',
        join(root, 'receipt.json'),
      ]
      return [process.execPath, ['--import', import.meta.resolve('tsx'), main, ...args]]
    },
  },
  {
    name: 'huggingface_hub upload_folder',
    command: ({ flat }) => [join(PROJECT, '.venv', 'bin', 'python'), ['-c', PYTHON, REPO, flat]],
  },
]

interface Measured {
  readonly seconds: number
  readonly mib: number
}

/** The benchmark `npm run bench -- publish`. */
export const run = script(LINE, OPTIONS, async ({ modelDir, rounds, work }) => {
  const root = await mkdtemp(join(work, 'qwen3-asr-onnx-bench-'))
  try {
    const folders: Folders = { modelDir, flat: join(root, 'flat'), root, work }
    const total = await flatten(folders)
    const found = new Map<string, Measured[]>(CONTENDERS.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round++)
      for (const contender of CONTENDERS) found.get(contender.name)?.push(await measure(contender, folders))
    const rows = [...found].map(([name, runs]) => rowOf(name, runs, total))
    const what = `${basename(modelDir)}, ${formatBytes(total)}; medians of ${rounds}`
    const lines = tableLines(['uploader', 'time', 'rate', 'peak'], rows)
    process.stdout.write(`${lines.join('\n')}\n\n  ${what}, ${machine()}\n`)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
  return EXIT.done
})

function rowOf(name: string, runs: readonly Measured[], total: number): string[] {
  const seconds = median(runs.map((run) => run.seconds))
  const mib = Math.max(...runs.map((run) => run.mib))
  return [name, `${seconds.toFixed(1)} s`, `${formatBytes(total / seconds)}/s`, `${mib} MiB`]
}

/** The files as the repository has them, for the client that uploads a folder. */
async function flatten({ modelDir, flat: folder }: Folders): Promise<number> {
  const release = await findRelease(modelDir)
  const { files } = await readManifest(release.root)
  await mkdir(folder)
  for (const file of files)
    await symlink(join(isModelFile(file) ? release.model : release.root, file.path), join(folder, file.path))
  const sizes = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}

async function measure(contender: Contender, folders: Folders): Promise<Measured> {
  const script = join(PROJECT, 'scripts', 'bench-publish-server.ts')
  const server = execa(process.execPath, ['--import', import.meta.resolve('tsx'), script], {
    stdin: 'pipe',
    env: { TMPDIR: folders.work },
    reject: false,
  })
  try {
    const { url, token } = await addressOf(server)
    const [program, args] = contender.command(folders)
    const env = {
      HF_ENDPOINT: url,
      HF_TOKEN: token,
      HF_HUB_DISABLE_XET: '1',
      HF_HOME: join(folders.root, 'home'),
      CI: 'true',
    }
    const started = performance.now()
    const child = execa(program, args, { env })
    const memory = watchMemory(child.pid ?? 0)
    await child
    const seconds = (performance.now() - started) / 1000
    return { seconds, mib: Math.round(memory().total / 1024) }
  } finally {
    server.stdin.end()
    await server
  }
}

async function addressOf(server: { readonly stdout: NodeJS.ReadableStream }) {
  for await (const chunk of server.stdout)
    return checkedText(SERVER, String(chunk), { file: 'What the server prints', hint: '' })
  throw new Error('the server said nothing')
}

function machine(): string {
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU'
  return `${cpu}, ${os.availableParallelism()} cores shared with the server, Node ${process.versions.node}`
}
