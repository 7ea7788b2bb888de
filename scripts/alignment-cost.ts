// SPDX-License-Identifier: Apache-2.0

import { link, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { graphFile, LAYOUTS } from '../eval/runtime/graphs.ts'
import { usualCache } from '../eval/runtime/load-cache.ts'
import {
  encode,
  loadRecognizer,
  promptOf,
  type Recognizer,
  releaseRecognizer,
} from '../eval/runtime/recognizer.ts'
import { ALIGNMENT } from '../graph-tools/attention.ts'
import { type Model, openModel } from '../graph-tools/model.ts'
import { editedBytes } from '../graph-tools/splice.ts'
import { Failure } from '../pipeline/shared/failure.ts'
import { median } from './median.ts'

/* What the output for times of words costs. */

/** Medians in seconds. */
export interface CostFigures {
  readonly parts: readonly { readonly name: string; readonly without: number; readonly together: number }[]
}

/** Of noise, in mel frames: the steps that follow have that many seconds and their text as a past. */
const LENGTHS = [1100, 3500] as const
/** Steps of a turn, of which the first is not timed: what the other side left in the caches is gone then. */
const TURN = 6
/** Prompts of a side, of which the first is not timed. */
const PROMPTS = 4

/**
 * Time prompts and steps of a release with the output for times of words, and without it.
 * @param folder release directory; a copy of links is made beside it for as long as it takes
 * @throws Failure when the variant does not have the output
 */
export async function alignmentCost(
  folder: string,
  variant: string,
  threads: number,
  rounds: number,
): Promise<CostFigures> {
  const graph = graphFile(LAYOUTS.fused[0], variant)
  const model = openModel(join(folder, graph))
  const plain = await mkdtemp(join(dirname(folder), '.without-'))
  try {
    const files = (await readdir(folder, { withFileTypes: true })).filter((file) => file.isFile())
    for (const { name } of files) if (name !== graph) await link(join(folder, name), join(plain, name))
    await writeFile(join(plain, graph), editedBytes(model.bytes, [withoutOutput(model)]))
    const options = { variant, threads, layout: 'fused', cache: usualCache() } as const
    const times = new Map<string, Times>()
    // which one is loaded first decides about its memory: each is, once
    for (const folders of [
      [plain, folder],
      [folder, plain],
    ]) {
      const sides: Side[] = []
      for (const one of folders)
        sides.push({ isPlain: one === plain, recognizer: await loadRecognizer(one, options) })
      for (const frames of LENGTHS) await timeLength(sides, frames, rounds, times)
      for (const { recognizer } of sides) await releaseRecognizer(recognizer)
    }
    return {
      parts: [...times].map(([name, { without, together }]) => {
        return { name, without: median(without), together: median(together) }
      }),
    }
  } finally {
    await rm(plain, { recursive: true, force: true })
  }
}

/** What is computed for it alone is left out by the runtime then. */
function withoutOutput({ graph, path }: Model) {
  const output = graph.outputs.find(({ name }) => name === ALIGNMENT)
  if (!output)
    throw new Failure(
      `${path} does not have the output ${ALIGNMENT}.`,
      'Make the release again: npm run pipeline -- --until quantize',
    )
  const { tagStart: start, end } = output.field
  return { region: graph.region, start, end, content: [] }
}

interface Side {
  readonly isPlain: boolean
  readonly recognizer: Recognizer
}

/** Seconds. */
interface Times {
  readonly without: number[]
  readonly together: number[]
}

async function timeLength(
  sides: readonly Side[],
  frames: number,
  rounds: number,
  times: Map<string, Times>,
): Promise<void> {
  const note = (part: string, { isPlain }: Side, started: number) => {
    const name = `${frames / 100} s, ${part}`
    const all = times.get(name) ?? { without: [], together: [] }
    times.set(name, all)
    all[isPlain ? 'without' : 'together'].push((performance.now() - started) / 1000)
  }
  const mel = { data: Float32Array.from({ length: 128 * frames }, (_, i) => Math.sin(i * i)), frames }
  for (const side of sides) {
    const { decoder } = side.recognizer
    const features = await encode(side.recognizer, mel)
    const prompt = promptOf(side.recognizer, features)
    for (let run = 0; run < PROMPTS; run++) {
      decoder.clear()
      const started = performance.now()
      await decoder.prefill([{ prompt, features }])
      if (run > 0) note('a prompt', side, started)
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      for (let step = 0; step < TURN; step++) {
        const started = performance.now()
        await side.recognizer.decoder.step([100 + step])
        if (step > 0) note('a step', side, started)
      }
    }
  }
}
