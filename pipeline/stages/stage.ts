// SPDX-License-Identifier: Apache-2.0

import type { Family } from '../../eval/runtime/graphs.ts'
import type { Adapter } from '../checkpoint/adapter.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Source } from '../checkpoint/checkpoint-source.ts'
import type { Python } from '../python/venv.ts'
import type { AdapterBase } from '../release/adapter-schema.ts'
import type { Emit } from '../shared/events.ts'
import type { Paths } from '../shared/paths.ts'
import type { StageName } from '../shared/stage-names.ts'
import type { Options } from './run-options.ts'

/** What a stage is given. */
export interface Run extends Omit<Source, 'place'> {
  readonly options: Options & { readonly family: Family }
  /** the commit of a checkpoint that is the hub's */
  readonly revision?: string
  /** the hub repository, or the checkpoint's folder */
  readonly origin: string
  readonly checkpoint: Checkpoint
  /** whose weights are merged into those of the checkpoint */
  readonly adapter?: OwnAdapter
  readonly paths: Paths
  readonly emit: Emit
  readonly signal: AbortSignal
  python(): Promise<Python>
}

/** The adapter that a run is for, with its base as cards and commands name it. */
export interface OwnAdapter extends Adapter {
  readonly base: AdapterBase
}

/** A step of the pipeline. */
export interface Stage {
  readonly name: StageName
  /** what else decides its result than the stages before it and its own code, which the runner adds */
  inputs(run: Run): Promise<Readonly<Record<string, unknown>>>
  /** files it leaves behind */
  outputs(run: Run): readonly string[]
  /** outputs that a run would make again as they are: they stay when it begins */
  keeps?(run: Run): Promise<readonly string[]>
  run(run: Run): Promise<void>
  /**
   * Whether what it left may be built on: called when that has been shown.
   * @throws Failure with exit code 3 when a gate has failed; the stage has not ended then
   */
  check?(run: Run): Promise<void>
  /** its outputs serve only the next stage, and are removed when that has ended */
  readonly isTransient?: true
  /** its outputs stay until a run of its own has made new ones; without a stamp they never pass as current */
  readonly replaces?: true
  /** runs every time: it leaves nothing behind */
  readonly always?: true
}

/** What people look at of a stage's result: made again when that or its own code has changed, and nothing is built on it. */
export interface View {
  readonly module: string
  /** what else it shows than the stage's result */
  inputs(run: Run): Promise<Readonly<Record<string, unknown>>>
  /** files it leaves behind */
  outputs(run: Run): readonly string[]
  show(run: Run): Promise<void>
}
