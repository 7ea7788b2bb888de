// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readChecked } from '../../eval/checked-json.ts'
import { type Parsed, shape, text } from '../../eval/runtime/schema.ts'
import { identifySources } from '../../eval/sources.ts'
import { joinSections } from '../release/report-sections.ts'
import { strayOf } from '../release/stray-files.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { exists, writeJson } from '../shared/output-files.ts'
import { checkpointFile } from '../shared/paths.ts'
import { STAGE_NAMES, type StageName } from '../shared/stage-names.ts'
import { removeOwnWeights } from './own-weights.ts'
import type { Run, Stage } from './stage.ts'
import { STAGES, VIEWS } from './stages.ts'
import { deleteStamp, endedWith, fingerprintOf, isCurrent, writeStamp } from './stamp.ts'

/**
 * Run the chosen stages in order. A stage whose fingerprint (inputs, options, tool versions, stages before it) and
 * outputs are unchanged is skipped. A stage that runs first deletes its own results and those of all later stages but
 * the release, so that whatever stops it leaves nothing that looks current. Its stamp is written last.
 */
export async function runStages(run: Run): Promise<void> {
  await refuseForeign(run)
  const release = await takeLock(join(run.paths.work, 'lock'), run.paths.model)
  try {
    await claim(run)
    await writeJson(checkpointFile(run.paths.work), run.checkpoint)
    const fingerprints = await fingerprintStages(run)
    for (const name of STAGE_NAMES) {
      if (run.options.stages.includes(name)) await runStage(STAGES[name], fingerprints, run)
      else await needEarlier(STAGES[name], fingerprints, run)
      await removeTransient(name, fingerprints, run)
    }
  } finally {
    await removeOwnWeights(run)
    await release()
  }
}

type Fingerprints = Readonly<Record<StageName, string>>

async function fingerprintStages(run: Run): Promise<Fingerprints> {
  const entries: [StageName, string][] = []
  let before = ''
  for (const name of STAGE_NAMES) {
    const code = await identifySources([`pipeline/stages/${name}-stage.ts`])
    before = fingerprintOf({ stage: name, before, code, ...(await STAGES[name].inputs(run)) })
    entries.push([name, before])
  }
  return Object.fromEntries(entries) as Record<StageName, string>
}

async function runStage(stage: Stage, fingerprints: Fingerprints, run: Run): Promise<void> {
  const { emit, paths, signal } = run
  const stamp = paths.stamp(stage.name)
  signal.throwIfAborted()
  if (!(await willRun(stage, fingerprints, run))) {
    emit({ event: 'stage-skip', stage: stage.name, reason: 'nothing it depends on has changed' })
    await showResult(stage, fingerprints, run)
    return
  }
  emit({ event: 'stage-start', stage: stage.name })
  const started = performance.now()
  if (!stage.always) await deleteResults(stage, run)
  await mkdir(dirname(stamp), { recursive: true })
  await stage.run(run)
  await showResult(stage, fingerprints, run)
  await stage.check?.(run)
  if (!stage.always) await writeStamp(stamp, fingerprints[stage.name], stage.outputs(run), paths.model)
  emit({ event: 'stage-done', stage: stage.name, seconds: (performance.now() - started) / 1000 })
}

/** Make the view of a stage, unless it is there and shows this very result. */
async function showResult({ name }: Stage, fingerprints: Fingerprints, run: Run): Promise<void> {
  const view = VIEWS[name]
  if (!view) return
  const stamp = run.paths.stamp(`${name}-view`)
  const code = await identifySources([view.module])
  const fingerprint = fingerprintOf({ of: fingerprints[name], code, ...(await view.inputs(run)) })
  if (await isCurrent(stamp, fingerprint, run.paths.model)) return
  await deleteStamp(stamp)
  await view.show(run)
  await writeStamp(stamp, fingerprint, view.outputs(run), run.paths.model)
}

async function willRun(stage: Stage, fingerprints: Fingerprints, run: Run): Promise<boolean> {
  return stage.always || run.options.force || !(await isFresh(stage, fingerprints, run))
}

/** Whether a stage's result is what a run would give. Transient outputs may be gone while the stage they served is fresh. */
async function isFresh(stage: Stage, fingerprints: Fingerprints, run: Run): Promise<boolean> {
  const { paths, options } = run
  const stamp = paths.stamp(stage.name)
  if (await isCurrent(stamp, fingerprints[stage.name], paths.model)) return true
  if (!stage.isTransient || (await endedWith(stamp)) !== fingerprints[stage.name]) return false
  const next = nextOf(stage)
  if (next === undefined) return false
  const isForced = options.force && options.stages.includes(next.name)
  return !isForced && isFresh(next, fingerprints, run)
}

/** What only this stage needed is in the way of a laptop's disk. */
async function removeTransient(name: StageName, fingerprints: Fingerprints, run: Run): Promise<void> {
  const before = STAGE_NAMES[STAGE_NAMES.indexOf(name) - 1]
  if (before === undefined || !STAGES[before].isTransient || run.options.keepIntermediate) return
  if (!(await isFresh(STAGES[name], fingerprints, run))) return
  for (const output of STAGES[before].outputs(run)) await rm(output, { force: true })
}

function nextOf(stage: Stage): Stage | undefined {
  const name = STAGE_NAMES[STAGE_NAMES.indexOf(stage.name) + 1]
  return name && STAGES[name]
}

/**
 * Later stages built on what is about to change. Stamps go first, the latest stage's first. The last complete release
 * stays: it is replaced when a new one is complete.
 */
async function deleteResults(stage: Stage, run: Run): Promise<void> {
  const kept = (await stage.keeps?.(run)) ?? []
  const stale = STAGE_NAMES.slice(STAGE_NAMES.indexOf(stage.name)).reverse()
  for (const name of stale) {
    await deleteStamp(run.paths.stamp(name))
    await deleteStamp(run.paths.stamp(`${name}-view`))
  }
  for (const name of stale.filter((name) => !STAGES[name].replaces)) {
    const outputs = [...STAGES[name].outputs(run), ...(VIEWS[name]?.outputs(run) ?? [])]
    for (const output of outputs) if (!kept.includes(output)) await rm(output, { force: true })
  }
  await joinSections(run.paths)
}

/** A stage that was not asked for must be up to date when a later one that was builds on it. */
async function needEarlier(stage: Stage, fingerprints: Fingerprints, run: Run): Promise<void> {
  const position = STAGE_NAMES.indexOf(stage.name)
  const isEarlier = run.options.stages.some((name) => STAGE_NAMES.indexOf(name) > position)
  if (!isEarlier || stage.always) return
  if (await isFresh(stage, fingerprints, run)) return
  throw new Failure(
    `The stage ${stage.name} has no current result in ${run.paths.model}.`,
    `Run it first: leave out --from and --only, or begin with --from ${stage.name}.`,
    EXIT.usage,
  )
}

/** Which model a directory belongs to: where it came from, and what is in its config. */
const OWNER = shape({ origin: text, config: text })
type Owner = Parsed<typeof OWNER>

function ownerFile(run: Run): string {
  return join(run.paths.work, 'model.json')
}

/** A folder with files but without our mark is somebody else's; nothing is written into it. */
async function refuseForeign(run: Run): Promise<void> {
  const { model, work } = run.paths
  const names = await readdir(model).catch(() => [])
  if (
    (await exists(ownerFile(run))) ||
    names.every((name) => name === basename(work) || strayOf(name) !== undefined)
  )
    return
  throw new Failure(
    `${model} holds files that no run of this pipeline made.`,
    'Choose another --output or --name, or empty the directory.',
  )
}

/** One directory holds one model, so that files of two are never mixed. */
async function claim(run: Run): Promise<void> {
  const { folder, audio_config: audio, text_config: text } = run.checkpoint
  const mine: Owner = { origin: run.origin, config: fingerprintOf({ audio, text }) }
  const owner = await readOwner(ownerFile(run))
  if (owner?.origin === mine.origin) return
  // The same checkpoint in another place is still the same one, when it is no longer in the old place.
  const hasMoved = owner?.config === mine.config && !(await exists(owner.origin))
  if (owner && !hasMoved) {
    throw new Failure(
      `${run.paths.model} belongs to another model: it was made from ${owner.origin}, this run is for ${folder}.`,
      'Choose another --output or --name, or delete the directory.',
    )
  }
  await writeJson(ownerFile(run), mine)
}

/** A damaged one is not taken for none: files of two models would be mixed. */
function readOwner(path: string): Promise<Owner | undefined> {
  return readChecked(OWNER, path, `Choose another --output or --name, or delete ${dirname(dirname(path))}.`)
}
