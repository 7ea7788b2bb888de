// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openDecoder } from '../../eval/runtime/decoder.ts'
import { halvesOf, requireSum } from '../../eval/runtime/halves.ts'
import { InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { openVariantEmbeddings } from '../../eval/runtime/quantized-embeddings.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { requireProvider } from '../../eval/runtime/session.ts'
import { readTokenizer, SPECIAL_TOKENS } from '../../eval/runtime/tokenizer.ts'
import type { ProbePart, ProbeQuestion } from './probe-provider.ts'
import { answerQuestion, type Said } from './provider-process.ts'
import { type Crossing, readProfile } from './step-profile.ts'

/* The child of probe-provider.ts: what a provider is and does here. */

answerQuestion<ProbeQuestion, ProbePart>(async (question, tell) => {
  const { provider, variants } = question
  requireProvider(provider)
  tell({ begin: 'it opened a small graph' })
  await requireSum(provider)
  tell({ part: { drivers: await driversInUse() } })
  tell({ begin: 'it computed in float16' })
  const halves = await halvesOf(provider)
  if (halves !== undefined) tell({ part: { halves } })
  for (const variant of variants) await profileStep(question, variant, tell)
})

/** Libraries of drivers in this process, where the system lists them (Linux, proc_pid_maps(5)). */
async function driversInUse(): Promise<string[]> {
  const maps = await readFile('/proc/self/maps', 'utf8').catch(() => '')
  const files = maps.split('\n').map((line) => basename(line.slice(line.indexOf('/'))))
  return [...new Set(files)].filter((name) => DRIVERS.test(name)).sort()
}

const DRIVERS = /^lib(vk_|vulkan_|GLX_nvidia|nvidia-|cuda\.|cudnn\.)/

const [FRAMES, STEPS] = [8, 3]

/** Run the decoder's usual way for a few steps with a profile, and read what the last of them did. */
async function profileStep(
  { folder, provider, threads, scratch }: ProbeQuestion,
  name: string,
  tell: (said: Said<ProbePart>) => void,
): Promise<void> {
  tell({ begin: `it ran a step of ${name}` })
  const release = await openRelease(folder, 'asr')
  const source = { release, variant: release.variant(name) }
  const embeddings = await openVariantEmbeddings(release, source.variant)
  const tokenizer = await readTokenizer(folder)
  const crossings = watchRuns()
  const profile = join(scratch, `step-${provider}-${name}`)
  const decoder = await openDecoder(source, embeddings, {
    ...{ provider, threads, prefill: 'same', layout: 'fused', profile },
  })
  const ids = new Array<number>(FRAMES).fill(tokenizer.idOf(SPECIAL_TOKENS.audioPad))
  const features = new Float32Array(FRAMES * release.config.hiddenSize).fill(0.01)
  await decoder.prefill([{ prompt: { ids, audioOffset: 0 }, features }])
  for (let step = 1; step < STEPS; step++) await decoder.step([0])
  crossings.begin()
  await decoder.step([0])
  const { fed, fetched } = crossings.end()
  await decoder.release()
  embeddings.close()
  const text = await readFile(await profileFile(profile), 'utf8')
  tell({ part: { variant: name, step: { ...readProfile(text), fed, fetched } } })
}

/** The runtime adds the time to the name. Small graphs that move keys and values have profiles too: the step's is the largest. */
async function profileFile(prefix: string): Promise<string> {
  const names = await readdir(dirname(prefix))
  const own = names.filter((name) => name.startsWith(`${basename(prefix)}_`))
  const sized = await Promise.all(
    own.map(async (name) => {
      const path = join(dirname(prefix), name)
      return { path, size: (await stat(path)).size }
    }),
  )
  const [largest] = sized.sort((a, b) => b.size - a.size)
  if (largest === undefined) throw new Error('The runtime wrote no profile of the step.')
  return largest.path
}

/**
 * Look at what sessions are given and give: the profile does not show what is copied on the way in and out.
 * @returns what all runs between `begin` and `end` took from memory of the host, and gave back in it
 */
function watchRuns() {
  const { prototype } = InferenceSession as unknown as { prototype: InferenceSession }
  const { run } = prototype
  let [fed, fetched] = [NOTHING, NOTHING]
  prototype.run = async function (this: InferenceSession, ...args: Parameters<typeof run>) {
    const results = await run.apply(this, args)
    fed = more(fed, args[0])
    fetched = more(fetched, results)
    return results
  } as typeof run
  return {
    begin() {
      fed = NOTHING
      fetched = NOTHING
    },
    end() {
      prototype.run = run
      return { fed, fetched }
    },
  }
}

const NOTHING: Crossing = { tensors: 0, bytes: 0 }

function more({ tensors, bytes }: Crossing, given: InferenceSession.OnnxValueMapType): Crossing {
  const own = Object.values(given).filter(
    (tensor): tensor is Tensor => tensor instanceof Tensor && tensor.location === 'cpu',
  )
  const size = own.reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0)
  return { tensors: tensors + own.length, bytes: bytes + size }
}
