import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EXIT, Failure } from './failure.ts'
import { exists } from './files.ts'
import { takeLock } from './lock.ts'
import { type Run, STAGE_NAMES, STAGES, type Stage } from './stages.ts'
import { deleteStamp, fingerprintOf, isCurrent, writeStamp } from './stamp.ts'

/**
 * Run the chosen stages in order. A stage whose fingerprint (inputs, options, tool versions, stages before it) and
 * outputs are unchanged is skipped; its stamp is deleted before it writes and written last.
 */
export async function runStages(run: Run): Promise<void> {
  const release = await takeLock(join(run.layout.work, 'lock'), run.layout.model)
  try {
    await claim(run)
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
  if (!stage.always && !options.force && (await isCurrent(stamp, fingerprint))) {
    emit({ event: 'stage-skip', stage: stage.name, reason: 'nothing it depends on has changed' })
    return
  }
  emit({ event: 'stage-start', stage: stage.name })
  const started = performance.now()
  await deleteStamp(stamp)
  await mkdir(dirname(stamp), { recursive: true })
  await stage.run(run)
  signal.throwIfAborted()
  if (!stage.always) await writeStamp(stamp, fingerprint, stage.outputs(run))
  emit({ event: 'stage-done', stage: stage.name, seconds: (performance.now() - started) / 1000 })
}

/** A stage that was not asked for must be up to date when a later one that was builds on it. */
async function needEarlier(stage: Stage, fingerprint: string, run: Run): Promise<void> {
  const position = STAGE_NAMES.indexOf(stage.name)
  const isEarlier = run.options.stages.some((name) => STAGE_NAMES.indexOf(name) > position)
  if (!isEarlier || stage.always || (await isCurrent(run.layout.stamp(stage.name), fingerprint))) return
  throw new Failure(
    `The stage ${stage.name} has no current result in ${run.layout.model}.`,
    `Run it first: leave out --from and --only, or begin with --from ${stage.name}.`,
    EXIT.usage,
  )
}

/** One directory holds one model: refuse another, and a folder that is not ours, so that files are never mixed. */
async function claim(run: Run): Promise<void> {
  const { model, work } = run.layout
  const path = join(work, 'model.json')
  const mine = run.checkpoint.folder
  const owner = await ownerOf(path)
  if (owner === undefined && (await readdir(model)).some((name) => name !== basename(work))) {
    throw new Failure(
      `${model} holds files that no run of this pipeline made.`,
      'Choose another --output or --name, or empty the directory.',
    )
  }
  // A checkpoint that has moved since is still the same one.
  if (owner !== undefined && owner !== mine && (await exists(owner))) {
    throw new Failure(
      `${model} belongs to another model: it was made from ${owner}, this run is for ${mine}.`,
      'Choose another --output or --name, or delete the directory.',
    )
  }
  await writeFile(path, JSON.stringify({ checkpoint: mine }))
}

async function ownerOf(path: string): Promise<string | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')).checkpoint
  } catch {
    return undefined
  }
}
