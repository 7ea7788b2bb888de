// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, join, resolve } from 'node:path'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { Failure } from '../shared/failure.ts'
import { exists } from '../shared/output-files.ts'
import { pathsOf } from '../shared/paths.ts'
import { type FileOptions, variantFiles } from '../variants.ts'
import { recoverFolder } from './replace-folder.ts'

/** Name of a release's folder in its model directory. */
export const RELEASE = 'release'

/* What a release holds beside the archives. */

/** The model card. */
export const CARD = 'README.md'
/** Chart of the error of each variant. */
export const CHART = 'wer.svg'
/** Chart of the error of times of words, in place of it where the release is of a forced aligner. */
export const TIMES_CHART = 'times.svg'
/** Chart of fidelity against size. */
export const FIDELITY_CHART = 'fidelity.svg'
/** Description of the release for programs. */
export const MANIFEST = 'manifest.json'
/** SHA-256 of the release's files, as sha256sum writes and checks them. */
export const SUMS = 'SHA256SUMS'

/** The folder inside of a variant's archive; NAME.tar.gz is FP32. */
export function topFolder(name: string, variant: string): string {
  return variant === FP32 ? name : `${name}-${variant}`
}

/** File name of a variant's archive. */
export function archiveName(name: string, variant: string): string {
  return `${topFolder(name, variant)}.tar.gz`
}

/** Files of the model directory that these variants are made of, each once. */
export function modelFiles(variants: readonly string[], options: FileOptions): string[] {
  return [...new Set(variants.flatMap((variant) => variantFiles(variant, options)))]
}

/** A release on disk. */
export interface ReleaseFolder {
  /** with archives, manifest, card */
  readonly root: string
  /** with the graphs: the model directory that `root` is in; a download of the hub has all in one folder */
  readonly model: string
}

/**
 * Find a release: its own folder (`release`), the model directory that it is in, or a download of the hub.
 * @throws Failure when there is no manifest.json, or the graphs are neither there nor in the folder above
 */
export async function findRelease(path: string): Promise<ReleaseFolder> {
  const root = await findDocuments(path)
  return { root, model: await modelOf(root) }
}

/**
 * Find the documents of a release alone, wherever the graphs are.
 * @returns the folder with its manifest
 * @throws Failure when there is no manifest.json
 */
export async function findDocuments(path: string): Promise<string> {
  const given = resolve(path)
  for (const root of [given, join(given, RELEASE)]) {
    await recoverRelease(root)
    if (await exists(join(root, MANIFEST))) return root
  }
  throw new Failure(
    `${path} holds no release: found no ${MANIFEST} in it or in ${join(basename(given), RELEASE)}.`,
    'npm run package -- MODEL_DIR makes one.',
  )
}

/** A model directory that a stage is at work on, or was, may have no config.json. */
async function modelOf(root: string): Promise<string> {
  if (await exists(join(root, 'config.json'))) return root
  const above = dirname(root)
  const { work } = pathsOf(dirname(above), basename(above))
  if (basename(root) === RELEASE)
    for (const mark of [join(above, 'config.json'), work]) if (await exists(mark)) return above
  throw new Failure(
    `${root} holds the documents of a release, but the model's files are neither there nor in a model directory around it.`,
    `Check its archives, which are complete by themselves: npm run package -- verify ${join(root, 'NAME.tar.gz')}`,
  )
}

/** Only a folder of this name was put aside by this project. */
async function recoverRelease(place: string): Promise<void> {
  if (basename(place) === RELEASE) await recoverFolder(place)
}
