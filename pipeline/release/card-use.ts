// SPDX-License-Identifier: Apache-2.0

import { FP32 } from '../../eval/runtime/graphs.ts'
import type { Card } from './card-kind.ts'
import { PACKAGES } from './card-python.ts'
import { details, projectText } from './card-text.ts'
import { isModelFile } from './manifest.ts'
import type { ReleaseFile } from './manifest-schema.ts'
import { archiveName, topFolder } from './release-files.ts'

/* What a model card says of how a release is fetched and run. */

/** The variant that examples take: the smallest of the usual ones, or else the first. */
export function exampleVariant(variants: readonly string[]): string {
  return variants.find((name) => name === 'int4') ?? variants[0] ?? FP32
}

/** How one variant is fetched, as single files or as an archive. */
export function downloadText({ name, variants, files }: Card): string {
  const variant = exampleVariant(variants)
  const patterns = downloadPatterns(files, variant).map((pattern) => ` \\\n  --include ${shellWord(pattern)}`)
  const [folder, archive] = [topFolder(name, variant), archiveName(name, variant)]
  return `### Download

One variant alone, here \`${variant}\`, into a folder \`${folder}\`. \`OWNER/NAME\` is this repository:

\`\`\`sh
hf download OWNER/NAME --local-dir ${folder}${patterns.join('')}
\`\`\`

The same files in an archive, where the repository has it:

\`\`\`sh
hf download OWNER/NAME ${archive} --local-dir .
tar -xzf ${archive}
\`\`\``
}

/** Patterns of \`hf download --include\` for the files of a variant, and for no weights or graphs of others. */
export function downloadPatterns(files: readonly ReleaseFile[], variant: string): string[] {
  const own = files.filter((file) => isModelFile(file) && file.variants.includes(variant))
  const wide = variant === FP32 ? ['*.json'] : ['*.json', `*.${variant}.*`]
  const others = own.filter(
    ({ path }) => !path.endsWith('.json') && (variant === FP32 || !path.includes(`.${variant}.`)),
  )
  return [...wide, ...others.map(({ path }) => path)]
}

/** Nothing of a shell in it: names of files have no such characters. */
function shellWord(pattern: string): string {
  return pattern.includes('*') ? `"${pattern}"` : pattern
}

/**
 * The card's section with a Python program, and the packages that it was tried with.
 * @param program its file, what it is called with behind the folder, and what it prints
 */
export function pythonText(
  { name, evidence: { provenance } }: Card,
  variant: string,
  program: { readonly file: string; readonly args: string; readonly prints: string; readonly text: string },
): string {
  const { file, args, prints, text } = program
  const tried = PACKAGES.flatMap((name) => {
    const version = provenance.tools[name]
    return version === undefined ? [] : [`${name} ${version}`]
  })
  return `### Python, with onnxruntime alone

\`\`\`sh
pip install ${PACKAGES.join(' ')}
python ${file} ${topFolder(name, variant)} ${args}
\`\`\`

prints ${prints}${tried.length > 0 ? ` (tried with ${tried.join(', ')})` : ''}. \`speech.wav\` has 16 kHz, one channel and 16 bits:
\`ffmpeg -i speech.mp3 -ar 16000 -ac 1 speech.wav\` makes it. The program:

${details(`${file}, ${text.split('\n').length} lines`, `\`\`\`python\n${text}\n\`\`\``)}`
}

/** The head of what the project's own runtime does. */
export function runtimeText({ software }: Card, does: string): string {
  return `### On the command line and in TypeScript

With the package \`${software.name}\` of ${projectText(software)}, ${does}

It is not on the npm registry: \`npm pack\` in a clone of the project makes the tarball to install. Never let \`npx\` fetch a package of that
name from elsewhere.`
}
