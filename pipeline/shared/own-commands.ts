// SPDX-License-Identifier: Apache-2.0

import { isGlobal } from '../../eval/runtime/missing-package.ts'
import { IS_CHECKOUT } from '../../eval/runtime/project.ts'

/* Commands as a user types them, in a checkout or with the installed package. */

/** Stands for the owner of a repository in commands that are printed to be edited. */
export const PLACEHOLDER = 'YOUR-NAME'

/** The name of the installed program (`bin` of package.json). */
const PROGRAM = 'qwen3-asr-onnx'

/** As messages of this project name its commands: what people type in a checkout. */
const IN_CHECKOUT =
  /\bnpm run (align|compare|evaluate|graph|package|page|pipeline|publish|quantize|transcribe)\b(?: --(?= |$))?/g

/**
 * A text with the commands as they are typed here: `npm run NAME --` in a checkout, the program's own name where it is installed.
 * @param program how the installed program is called; undefined in a checkout
 */
export function asTyped(text: string, program: string | undefined = installedProgram()): string {
  return program === undefined ? text : text.replace(IN_CHECKOUT, `${program} $1`)
}

/** How the program itself is called here, before the name of a command. */
export function calledProgram(): string {
  return installedProgram() ?? 'npx tsx pipeline/main.ts'
}

/** A global installation is on PATH, one of a project is found by npx. */
function installedProgram(): string | undefined {
  if (IS_CHECKOUT) return undefined
  return isGlobal() ? PROGRAM : `npx ${PROGRAM}`
}
