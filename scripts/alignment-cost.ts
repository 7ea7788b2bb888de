import { link, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { graphFile, LAYOUTS } from '../eval/runtime/graphs.ts'
import { usualCache } from '../eval/runtime/prompt-cache.ts'
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

/** Medians in seconds. */
export interface CostFigures {
  readonly parts: readonly { readonly name: string; readonly without: number; readonly together: number }[]
}

/** Of noise, in mel frames: the steps that follow have that many seconds and their text as a past. */
const LENGTHS = [1100, 3500] as const
/** Steps of a turn, of which the first is not timed: what the other side left in the caches is gone then. */
const TURN = 6

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
    const sides = [await loadRecognizer(plain, options), await loadRecognizer(folder, options)] as const
    const parts = []
    for (const frames of LENGTHS) parts.push(...(await timeLength(sides, frames, rounds)))
    for (const side of sides) await releaseRecognizer(side)
    return { parts }
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

async function timeLength(sides: readonly [Recognizer, Recognizer], frames: number, rounds: number) {
  const [first] = sides
  const mel = { data: Float32Array.from({ length: 128 * frames }, (_, i) => Math.sin(i * i)), frames }
  const features = await encode(first, mel)
  const prompt = promptOf(first, features)
  const prompts: number[][] = [[], []]
  const steps: number[][] = [[], []]
  for (const [i, { decoder }] of sides.entries()) {
    for (let run = 0; run < 4; run++) {
      decoder.clear()
      const started = performance.now()
      await decoder.prefill([{ prompt, features }])
      if (run > 0) prompts[i]?.push((performance.now() - started) / 1000)
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
      for (let step = 0; step < TURN; step++) {
        const started = performance.now()
        await sides[i as 0 | 1].decoder.step([100 + step])
        if (step > 0) steps[i]?.push((performance.now() - started) / 1000)
      }
    }
  }
  const of = (name: string, [without = [], together = []]: readonly (readonly number[])[]) => ({
    ...{ name: `${frames / 100} s, ${name}`, without: median(without), together: median(together) },
  })
  return [of('a prompt', prompts), of('a step', steps)]
}
