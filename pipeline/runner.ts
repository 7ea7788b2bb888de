import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EXIT, Failure } from './failure.ts'
import { exists, writeJson } from './files.ts'
import { takeLock } from './lock.ts'
import { joinSections } from './report.ts'
import { checkpointFile } from './stages/export.ts'
import { type Run, STAGE_NAMES, STAGES, type Stage } from './stages.ts'
import { deleteStamp, fingerprintOf, isCurrent, writeStamp } from './stamp.ts'

/**
 * Run the chosen stages in order. A stage whose fingerprint (inputs, options, tool versions, stages before it) and
 * outputs are unchanged is skipped. A stage that runs first deletes its own results and those of all later stages,
 * so that whatever stops it leaves nothing that looks finished; its stamp is written last.
 */
export async function runStages(run: Run): Promise<void> {
  await refuseForeign(run)
  const release = await takeLock(join(run.layout.work, 'lock'), run.layout.model)
  try {
    await claim(run)
    await writeJson(checkpointFile(run.layout.work), run.checkpoint)
    let before = ''
    for (const name of STAGE_NAMES) {
      const stage = STAGES[name]
      const fingerprint = fingerprintOf({ stage: name, before, ...(await stage.inputs(run)) })
      if (run.options.stages.includes(name)) await runStage(stage, fingerprint, run)
      else await needEarlier(stage, fingerprint, run)
      before = fingerprint
    }
  } finally {
    await release()
  }
}

async function runStage(stage: Stage, fingerprint: string, run: Run): Promise<void> {
  const { emit, layout, options, signal } = run
  const stamp = layout.stamp(stage.name)
  signal.throwIfAborted()
  if (!stage.always && !options.force && (await isCurrent(stamp, fingerprint, layout.model))) {
    emit({ event: 'stage-skip', stage: stage.name, reason: 'nothing it depends on has changed' })
    return
  }
  emit({ event: 'stage-start', stage: stage.name })
  const started = performance.now()
  if (!stage.always) await deleteResults(stage, run)
  await mkdir(dirname(stamp), { recursive: true })
  await stage.run(run)
  if (!stage.always) await writeStamp(stamp, fingerprint, stage.outputs(run), layout.model)
  emit({ event: 'stage-done', stage: stage.name, seconds: (performance.now() - started) / 1000 })
}

/** Later stages built on what is about to change. Stamps go first, the latest stage's first. */
async function deleteResults(stage: Stage, run: Run): Promise<void> {
  const stale = STAGE_NAMES.slice(STAGE_NAMES.indexOf(stage.name)).reverse()
  for (const name of stale) await deleteStamp(run.layout.stamp(name))
  for (const name of stale) {
    for (const output of STAGES[name].outputs(run)) await rm(output, { force: true })
  }
  await joinSections(run.layout)
}

/** A stage that was not asked for must be up to date when a later one that was builds on it. */
async function needEarlier(stage: Stage, fingerprint: string, run: Run): Promise<void> {
  const position = STAGE_NAMES.indexOf(stage.name)
  const isEarlier = run.options.stages.some((name) => STAGE_NAMES.indexOf(name) > position)
  if (!isEarlier || stage.always) return
  if (await isCurrent(run.layout.stamp(stage.name), fingerprint, run.layout.model)) return
  throw new Failure(
    `The stage ${stage.name} has no current result in ${run.layout.model}.`,
    `Run it first: leave out --from and --only, or begin with --from ${stage.name}.`,
    EXIT.usage,
  )
}

/** Which model a directory belongs to: where it came from, and what is in its config. */
interface Owner {
  readonly origin: string
  readonly config: string
}

function ownerFile(run: Run): string {
  return join(run.layout.work, 'model.json')
}

/** A folder with files but without our mark is somebody else's; nothing is written into it. */
async function refuseForeign(run: Run): Promise<void> {
  const { model, work } = run.layout
  const names = await readdir(model).catch(() => [])
  if ((await exists(ownerFile(run))) || names.every((name) => name === basename(work))) return
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
      `${run.layout.model} belongs to another model: it was made from ${owner.origin}, this run is for ${folder}.`,
      'Choose another --output or --name, or delete the directory.',
    )
  }
  await writeJson(ownerFile(run), mine)
}

async function readOwner(path: string): Promise<Owner | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : JSON.parse(text)
}
