import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Row } from '../../eval/summary.ts'
import { alias } from '../../graph-tools/alias.ts'
import { sha256Of, writeArchive } from '../archive.ts'
import { Failure } from '../failure.ts'
import { formatBytes, freshFolder, writeText } from '../files.ts'
import { graphFile, VARIANTS, type Variant, variantFiles, variantLabel } from '../layout.ts'
import { type Card, type CardVariant, modelCard } from '../model-card.ts'
import { readSection } from '../report.ts'
import type { Run, Stage } from '../stages.ts'
import { identifySources, identifyTools } from '../stamp.ts'
import { quantizationTag } from './quantize.ts'

const SUMS = 'SHA256SUMS'
const CARD = 'README.md'

/** What the stages before have left for the model card. */
interface ParitySection {
  readonly verdict: string
  readonly checks: Card['parity']
}

interface EvaluationSection {
  readonly verdict: string
  readonly speech: string
  readonly isBundledSpeech: boolean
  readonly normalizer: string
  readonly variants: readonly {
    readonly variant: string
    readonly summary: Row
    readonly bytes: number
  }[]
}

/** The release: a directory, one archive for each variant, checksums, the model card. */
export const packageStage: Stage = {
  name: 'package',
  async inputs({ name, base, flag }) {
    return {
      name,
      base,
      flag,
      tools: await identifyTools(),
      sources: await identifySources(['pipeline', 'pipeline/stages']),
    }
  },
  outputs: (run) => releaseFiles(run),
  async run(run) {
    const building = `${run.layout.release}.partial`
    const folder = join(building, run.name)
    await freshFolder(building)
    await mkdir(folder)
    for (const name of allFiles(run.options)) await alias(join(run.layout.model, name), join(folder, name))
    const sums: [string, string][] = []
    for (const variant of VARIANTS) sums.push(await archive(run, folder, building, variant))
    await writeText(join(folder, CARD), await card(run, building))
    sums.push(...(await fileSums(run, folder)))
    await writeText(join(building, SUMS), sums.map(([hash, name]) => `${hash}  ${name}\n`).join(''))
    await rm(run.layout.release, { recursive: true, force: true })
    await rename(building, run.layout.release)
    report(
      run,
      await Promise.all(
        releaseFiles(run).map(async (file) => [basename(file), (await stat(file)).size] as const),
      ),
    )
  },
}

/** Every file of the release, absolute. */
export function releaseFiles({ layout, name, options }: Pick<Run, 'layout' | 'name' | 'options'>): string[] {
  return [
    ...VARIANTS.map((variant) => join(layout.release, archiveName(name, variant))),
    ...[...allFiles(options), CARD].map((file) => join(layout.release, name, file)),
    join(layout.release, SUMS),
  ]
}

/** Bytes that `files` of `folder` take, an alias counted once. */
export async function folderBytes(folder: string, files: readonly string[]): Promise<number> {
  const infos = await Promise.all(files.map((file) => stat(join(folder, file))))
  const bySlot = new Map(infos.map((info) => [`${info.dev}:${info.ino}`, info.size]))
  return [...bySlot.values()].reduce((sum, size) => sum + size, 0)
}

function archiveName(name: string, variant: Variant): string {
  return `${topFolder(name, variant)}.tar.gz`
}

function topFolder(name: string, variant: Variant): string {
  return variant === '' ? name : `${name}-${variant}`
}

function allFiles(options: Run['options']): string[] {
  return [...new Set(VARIANTS.flatMap((variant) => variantFiles(variant, options)))]
}

/** @returns [sha256, file name] */
async function archive(run: Run, folder: string, out: string, variant: Variant): Promise<[string, string]> {
  const file = archiveName(run.name, variant)
  const members = variantFiles(variant, run.options).map((name) => join(folder, name))
  const hash = await writeArchive(join(out, file), topFolder(run.name, variant), members, {
    signal: run.signal,
    onProgress: (done, total) => run.emit({ event: 'progress', what: file, done, total, unit: 'bytes' }),
  })
  return [hash, file]
}

/** [sha256, path] of every file of the release folder. The alias has its target's content, so it is not read again. */
async function fileSums(run: Run, folder: string): Promise<[string, string][]> {
  const hashes = new Map<string, string>()
  for (const name of [...allFiles(run.options), CARD].sort()) {
    const target = name === graphFile('encoder', 'int4') ? hashes.get(graphFile('encoder', '')) : undefined
    hashes.set(name, target ?? (await sha256Of(join(folder, name), run.signal)))
  }
  return [...hashes].map(([name, hash]) => [hash, `${run.name}/${name}`])
}

async function card(run: Run, out: string): Promise<string> {
  const parity = await readSection<ParitySection>(run.layout, 'parity')
  const evaluation = await readSection<EvaluationSection>(run.layout, 'evaluation')
  if (parity?.verdict !== 'pass' || evaluation?.verdict !== 'pass') {
    throw new Failure(
      'The release has no passing parity and WER results, so it is not packaged.',
      'Run --from validate.',
    )
  }
  const variants = VARIANTS.map(async (variant): Promise<CardVariant> => {
    const label = variantLabel(variant)
    const file = archiveName(run.name, variant)
    const measured = evaluation.variants.find((result) => result.variant === label)
    if (!measured) throw new Failure(`The variant ${label} was not evaluated.`, 'Run --from evaluate.')
    const { summary, bytes } = measured
    const { size } = await stat(join(out, file))
    return { label, archive: file, archiveBytes: size, bytes, wer: summary.wer, errors: summary.errors }
  })
  return modelCard({
    name: run.name,
    base: run.base,
    quantization: quantizationTag(run.options),
    prefillInt8: run.options.prefillInt8,
    speech: evaluation.isBundledSpeech
      ? 'synthetic held-out speech (espeak-ng)'
      : basename(evaluation.speech),
    normalizer: evaluation.normalizer,
    utterances: evaluation.variants[0]?.summary.utterances ?? 0,
    variants: await Promise.all(variants),
    parity: parity.checks,
    command: `npm run pipeline -- --model ${run.flag}`,
  })
}

function report(run: Run, files: readonly (readonly [string, number])[]): void {
  run.emit({
    event: 'table',
    title: `Release in ${run.layout.release}`,
    columns: ['file', 'size'],
    rows: files.map(([name, size]) => [name, formatBytes(size)]),
  })
}

/** Checksums of the release by path relative to its folder. */
export async function readSums(run: Run): Promise<Map<string, string>> {
  const text = await readFile(join(run.layout.release, SUMS), 'utf8')
  return new Map(
    text
      .trimEnd()
      .split('\n')
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  )
}
