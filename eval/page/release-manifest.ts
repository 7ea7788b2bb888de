// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { graphFile, LAYOUTS } from '../runtime/graphs.ts'
import { parseJsonObject } from '../runtime/json-file.ts'
import { checkedAs, count, exactly, list, section, text } from '../runtime/schema.ts'
import { SpeechError } from '../runtime/speech-error.ts'

/* What the page reads of manifest.json, which docs/manifest-json.md describes. */

/** File name of the manifest in a release. */
export const MANIFEST = 'manifest.json'
const FORMAT = 1

const NAME = 'a file name of letters, digits, dots, dashes and underscores'
const HASH = 'a SHA-256 of 64 hexadecimal digits in lower case'

const SCHEMA = section({
  format: v.literal(FORMAT, `${FORMAT}`),
  family: v.optional(exactly('asr')),
  name: text,
  files: list(
    section({
      path: v.pipe(v.string(NAME), v.regex(/^\w[\w.-]*$/, NAME)),
      size: count,
      sha256: v.pipe(v.string(HASH), v.regex(/^[0-9a-f]{64}$/, HASH)),
      role: text,
      variants: list(text),
    }),
  ),
})

/** A file of a release, as its manifest describes it. */
export interface WantedFile {
  readonly path: string
  /** bytes */
  readonly size: number
  readonly sha256: string
}

/** What it takes to run one variant in a browser. */
export interface WantedVariant {
  readonly name: string
  readonly files: readonly WantedFile[]
  /** of all files, those with the same content once */
  readonly bytes: number
}

/** A release with the variants that a page can load. */
export interface WantedRelease {
  readonly name: string
  readonly variants: readonly WantedVariant[]
}

/** Roles of files that a browser has no use for: prompts run by the graph of the steps there. */
const LEFT_OUT = new Set(['prefill', 'archive', 'documentation'])

/**
 * The variants of a release with the files that each needs.
 * @param place of the manifest, for messages
 * @throws SpeechError when it is not as the packager writes it, or of another kind of model
 */
export function readManifest(bytes: Uint8Array, place: string): WantedRelease {
  const fail = (message: string) =>
    new SpeechError(message, 'npm run package writes it; take it from the release again.')
  const { name, files } = checkedAs(SCHEMA, parseJsonObject(bytes, place, fail), { file: place }, fail)
  const names = [...new Set(files.flatMap(({ variants }) => variants))]
  const variants = names.map((variant): WantedVariant => {
    const own = files.filter((file) => file.variants.includes(variant) && !LEFT_OUT.has(file.role))
    const wanted = withoutOtherLayouts(own, variant).map(({ path, size, sha256 }) => ({ path, size, sha256 }))
    return { name: variant, files: wanted, bytes: bytesOf(wanted) }
  })
  if (variants.length > 0) return { name, variants }
  throw fail(`${place} lists no file of a variant.`)
}

/** Files with the same content are fetched and kept once. */
export function distinct(files: readonly WantedFile[]): WantedFile[] {
  return [...new Map(files.map((file) => [file.sha256, file])).values()]
}

function bytesOf(files: readonly WantedFile[]): number {
  return distinct(files).reduce((sum, { size }) => sum + size, 0)
}

/** The fused layout's graphs alone, where they are there. */
function withoutOtherLayouts<File extends { readonly path: string; readonly role: string }>(
  files: readonly File[],
  variant: string,
): File[] {
  const fused: string[] = LAYOUTS.fused.map((graph) => graphFile(graph, variant))
  const isFused = fused.every((name) => files.some(({ path }) => path === name))
  return files.filter(({ path, role }) => !isFused || role !== 'decoder' || fused.includes(path))
}
