// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { openRelease } from '../eval/runtime/release.ts'
import { variantFilesOf } from '../pipeline/evaluate/fingerprint.ts'
import type { PeerClip } from './peer-clips.ts'
import { bytesOf, ENGINES, type Engine, type EngineName } from './peer-engines.ts'
import { PROJECT_PYTHON, pinnedVersion, pythonWith } from './peer-environment.ts'
import { type Described, modelFor } from './peer-models.ts'
import {
  type Cold,
  coldOfJob,
  coldOfTranscript,
  type LoadedResult,
  type Program,
  reasonOf,
  runCold,
  runLoaded,
} from './peer-process.ts'

/* What `npm run bench -- peers` compares. */

/** One of those that are compared. */
export interface Side {
  readonly name: string
  readonly isOurs: boolean
  readonly bytes: number
  loaded(clips: readonly PeerClip[]): Promise<LoadedResult>
  cold(clip: PeerClip): Promise<Cold>
}

/** A side that cannot be measured. */
export interface Missing {
  readonly name: string
  readonly reason: string
}

/** What the sides are made of; `work` is a folder for what they need. */
export interface SideOptions {
  readonly modelDir: string
  readonly variants: readonly string[]
  readonly threads: number
  /** models that are handed in */
  readonly peers: ReadonlyMap<EngineName, string>
  readonly work: string
  describe(): Promise<Described>
  note(text: string): void
}

const SPLIT = 'int4'

/** A variant in this project's runtime, as the package has it: see {@link makeSides}. */
export async function ownSide(variant: string, { modelDir, threads }: SideOptions): Promise<Side> {
  const job = join(import.meta.dirname, 'bench-peers-job.js')
  return {
    name: variant,
    isOurs: true,
    bytes: (await variantFilesOf(modelDir, variant)).bytes,
    loaded: (clips) => {
      const text = JSON.stringify({ model: modelDir, variant, threads, clips })
      return runLoaded([process.execPath, [job, text]])
    },
    cold: ({ file, newTokens }) => {
      const main = join(PROJECT, 'dist', 'pipeline', 'main.js')
      const which = ['--model-dir', modelDir, '--variant', variant, '--threads', `${threads}`]
      const how = ['--format', 'json', '--max-new-tokens', `${newTokens}`]
      const command: Program = [process.execPath, [main, 'transcribe', file, ...which, ...how]]
      return runCold(command, coldOfTranscript)
    },
  }
}

/** The split layout in Python's onnxruntime. */
export async function splitSide({ modelDir, threads }: SideOptions): Promise<Side> {
  const { name: variant } = (await openRelease(modelDir)).variant(SPLIT)
  const script = join(PROJECT, 'python', 'bench', 'run_split.py')
  const bytes = (await variantFilesOf(modelDir, variant)).bytes
  return pythonSide(`Python, split layout, ${variant}`, bytes, [PROJECT_PYTHON, [script]], {
    ...{ model: modelDir, variant, threads },
  })
}

/** An engine's wheel, with its model handed in or made here. */
export async function engineSide(engine: Engine, options: SideOptions): Promise<Side> {
  const { threads, peers, work, note } = options
  note(`${engine.name}: environment and model`)
  const python = await pythonWith(join(work, 'env'), engine.name, engine.packages)
  const model =
    peers.get(engine.name) ?? (await modelFor(engine, await options.describe(), join(work, 'models'), python))
  const script = join(PROJECT, 'python', 'bench', 'run_peer.py')
  return pythonSide(await titleOf(engine), await bytesOf(model), [python, [script]], {
    ...{ engine: engine.name, model, threads },
  })
}

/** As a side is called that could not be made. */
export async function titleOf(engine: Engine): Promise<string> {
  return `${engine.name} ${await pinnedVersion(engine.name)}, ${engine.format}`
}

function pythonSide(name: string, bytes: number, [program, args]: Program, job: object): Side {
  const command = (clips: readonly PeerClip[], isWarm: boolean): Program => [
    program,
    [...args, JSON.stringify({ ...job, isWarm, clips })],
  ]
  return {
    ...{ name, bytes, isOurs: false },
    loaded: (clips) => runLoaded(command(clips, true)),
    cold: (clip) => runCold(command([clip], false), coldOfJob),
  }
}

/** All sides that can be measured, and why the others cannot. The package is built for this project's own. */
export async function makeSides(
  options: SideOptions,
): Promise<{ readonly sides: readonly Side[]; readonly missing: readonly Missing[] }> {
  options.note('the package is built')
  await execa('npm', ['run', '--silent', 'build'], { cwd: PROJECT })
  const makers: [name: string, make: () => Promise<Side>][] = [
    ...options.variants.map((variant): [string, () => Promise<Side>] => [
      variant,
      () => ownSide(variant, options),
    ]),
    [`Python, split layout, ${SPLIT}`, () => splitSide(options)],
  ]
  for (const engine of ENGINES) makers.push([await titleOf(engine), () => engineSide(engine, options)])
  const sides: Side[] = []
  const missing: Missing[] = []
  for (const [name, make] of makers) {
    try {
      sides.push(await make())
    } catch (error) {
      missing.push({ name, reason: reasonOf(error) })
    }
  }
  return { sides, missing }
}
