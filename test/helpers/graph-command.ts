// SPDX-License-Identifier: Apache-2.0

import { parseGraph } from '../../pipeline/commands/graph-options.ts'
import {
  runEmbedFp16,
  runExternalize,
  runInline,
  runRenameData,
  runShare,
  runStripAllowzero,
  runStripTraces,
  runTie,
} from '../../pipeline/graph/rewrites.ts'
import type { Ui } from '../../pipeline/graph/rewriting.ts'

const quiet: Ui = { report: () => {}, onBytes: () => {} }

/** A graph command as the command line calls it, in this process; `options` as written there. */
export async function graphCommand([command = '', ...args]: readonly string[], ui = quiet): Promise<void> {
  const files = args.filter((arg) => arg.endsWith('.onnx'))
  const option = (name: string) => {
    const at = args.indexOf(`--${name}`)
    return at < 0 ? undefined : args[at + 1]
  }
  const data = option('data')
  if (command === 'share') await runShare(files, { data: data ?? '', minimum: 256 }, ui)
  else if (command === 'rename-data')
    await runRenameData(files, { from: option('from'), to: option('to') ?? '' }, ui)
  else if (command === 'inline') await runInline(files, ui)
  else if (command === 'strip-allowzero') await runStripAllowzero(files, false, ui)
  else if (command === 'strip-traces') await runStripTraces(files, ui)
  else if (command === 'externalize')
    await runExternalize(files, { data, threshold: Number(option('threshold') ?? 1024) }, ui)
  else if (command === 'tie') await runTie(files, { data }, ui)
  else if (command === 'embed-fp16') await runEmbedFp16(files, ui)
  else throw new Error(`unknown command ${command}`)
}

/** The whole command line in this process; failures are thrown. */
export async function graphLine(args: readonly string[]): Promise<unknown> {
  const options = await parseGraph(args)
  const output = { isJson: true, emit: () => {}, note: () => {}, report: () => {} }
  return options?.work(output, new AbortController().signal)
}
