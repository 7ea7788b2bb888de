import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Failure } from '../failure.ts'
import { exists } from '../files.ts'
import { type Variant, variantFiles } from '../layout.ts'
import { recoverFolder } from './replace-folder.ts'

/** Name of a release's folder in its model directory. */
export const RELEASE = 'release'
/** What a release holds beside the model's folder and the archives. */
export const CARD = 'README.md'
export const CHART = 'wer.svg'
export const MANIFEST = 'manifest.json'
export const SUMS = 'SHA256SUMS'

/** The folder inside of a variant's archive; NAME.tar.gz is FP32. */
export function topFolder(name: string, variant: Variant): string {
  return variant === '' ? name : `${name}-${variant}`
}

export function archiveName(name: string, variant: Variant): string {
  return `${topFolder(name, variant)}.tar.gz`
}

/** Files of the model's folder, each once. */
export function modelFiles(
  variants: readonly Variant[],
  options: { readonly prefillInt8: boolean },
): string[] {
  return [...new Set(variants.flatMap((variant) => variantFiles(variant, options)))]
}

/** A release on disk. */
export interface ReleaseFolder {
  /** with archives, manifest, card */
  readonly root: string
  /** with the graphs */
  readonly model: string
}

/**
 * Find a release: its own folder (`release`), the model directory that it is in, the folder of the graphs inside, or a
 * download of the hub, where everything lies in one folder.
 * @throws Failure when there is no manifest.json
 */
export async function findRelease(path: string): Promise<ReleaseFolder> {
  const given = resolve(path)
  for (const place of [given, join(given, RELEASE), dirname(given)]) await recoverRelease(place)
  for (const root of [given, join(given, RELEASE), dirname(given)]) {
    if (!(await exists(join(root, MANIFEST)))) continue
    if (await exists(join(root, 'config.json'))) return { root, model: root }
    for (const entry of await readdir(root, { withFileTypes: true })) {
      const model = join(root, entry.name)
      if (entry.isDirectory() && (await exists(join(model, 'config.json')))) return { root, model }
    }
  }
  throw new Failure(
    `${path} holds no release: found no ${MANIFEST} in it, in ${join(basename(given), RELEASE)}, or beside it.`,
    'npm run package -- MODEL_DIR makes one.',
  )
}

/** Only a folder of this name was put aside by this project. */
async function recoverRelease(place: string): Promise<void> {
  if (basename(place) === RELEASE) await recoverFolder(place)
}
