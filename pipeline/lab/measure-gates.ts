import { type Comparison, followLogits } from '../../eval/parity.ts'
import { providerOf, USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import type { Way } from '../../eval/runtime/release.ts'
import type { ModelOptions } from '../../eval/system.ts'
import type { ClipsGate, Finding, Limits, LogitsGate, ParityClip, WayValues } from '../gates/gate.ts'
import { type GateLimits, gatesOf } from '../gates.ts'
import { wayName } from '../release/gate-result.ts'
import { Failure } from '../shared/failure.ts'

export interface MeasureOptions extends Pick<ModelOptions, 'folder' | 'variant' | 'provider' | 'threads'> {
  readonly gates: GateLimits
  readonly ways: readonly Way[]
  /** all clips, read anew at each call; `what` is for the progress */
  clips(what: string): AsyncIterable<ParityClip>
}

/** What gates found of a variant, and every comparison that they made. */
export interface Measured {
  readonly findings: readonly Finding[]
  readonly comparisons: readonly (Comparison & Way)[]
}

/**
 * Run the gates of a variant that compare it with PyTorch. Each way through it is loaded once for all of them.
 * @throws SpeechError when a graph is missing or refused
 */
export async function measureVariant(options: MeasureOptions): Promise<Measured> {
  const rows = gatesOf(options.gates)
  const onClips = rows.flatMap(([gate, limits]) => (gate.kind === 'clips' ? [{ gate, limits }] : []))
  const onLogits = rows.flatMap(([gate, limits]) => (gate.kind === 'logits' ? [{ gate, limits }] : []))
  const comparisons: (Comparison & Way)[] = []
  const values = onLogits.map((): WayValues[] => [])
  if (onClips.length + onLogits.length === 0) return { findings: [], comparisons }
  const { tolerance } = providerOf(options.provider)
  for (const way of options.ways) {
    const wanted = onClips.filter(({ gate, limits }) => gate.figures([way], limits, tolerance).length > 0)
    if (wanted.length + onLogits.length === 0) continue
    await withRecognizer(options, way, async (recognizer) => {
      for (const { gate } of wanted) {
        const made = await gate.measure(
          recognizer,
          way,
          (what) => options.clips(nameFor(options, what)),
          tolerance,
        )
        comparisons.push(...made.map((comparison) => ({ ...comparison, ...way })))
      }
      const found = await followAll(recognizer, way, onLogits, options)
      for (const [i, entry] of found.entries()) values[i]?.push(entry)
    })
  }
  return {
    findings: [
      ...onClips.flatMap(({ gate, limits }) => summarize(gate, limits, comparisons, options)),
      ...onLogits.flatMap(({ gate, limits }, i) => gate.judge(values[i] ?? [], limits)),
    ],
    comparisons,
  }
}

async function withRecognizer(
  { folder, variant, provider, threads }: MeasureOptions,
  way: Way,
  use: (recognizer: Recognizer) => Promise<void>,
): Promise<void> {
  const recognizer = await loadRecognizer(folder, { variant, provider, threads, ...way })
  try {
    await use(recognizer)
  } finally {
    await releaseRecognizer(recognizer)
  }
}

/** One pass over all positions of the clips, for every gate. */
async function followAll(
  recognizer: Recognizer,
  way: Way,
  rows: readonly { readonly gate: LogitsGate }[],
  options: MeasureOptions,
): Promise<WayValues[]> {
  const values = rows.map((): number[] => [])
  if (rows.length === 0) return []
  let problem: string | undefined
  for await (const { samples, reference, isUtterance } of options.clips(nameFor(options, wayName(way)))) {
    const wants = rows.map(({ gate }) => (gate.on === 'utterances') === isUtterance)
    if (problem !== undefined || !wants.includes(true)) continue
    problem = await followLogits(recognizer, samples, reference, (found, wanted) => {
      for (const [i, { gate }] of rows.entries()) if (wants[i]) values[i]?.push(gate.position(found, wanted))
    })
    if (problem !== undefined) problem = `${reference.id}: ${problem}`
  }
  return values.map((own) => (problem === undefined ? { way, values: own } : { way, values: [], problem }))
}

function nameFor({ variant, provider }: MeasureOptions, what: string): string {
  return `${variant}, ${provider === USUAL_PROVIDER ? '' : `${provider}, `}${what}`
}

/** The worst of all clips for each figure. */
function summarize(
  gate: ClipsGate,
  limits: Limits,
  comparisons: readonly (Comparison & Way)[],
  { ways, provider }: MeasureOptions,
): Finding[] {
  return gate.figures(ways, limits, providerOf(provider).tolerance).map((figure): Finding => {
    const all = comparisons.filter(
      ({ check, layout, prefill }) =>
        check === figure.gate && layout === figure.layout && prefill === figure.prefill,
    )
    if (all.length === 0) throw new Failure(`No clip was compared by ${figure.gate}.`)
    const worst = all.reduce((a, b) => (b.worst > a.worst || Number.isNaN(b.worst) ? b : a))
    const { clip: worstClip, problem } = all.find((one) => one.problem !== undefined) ?? worst
    return {
      ...{ ...figure, limit: figure.limit ?? null, found: worst.worst, clips: all.length, worstClip },
      ...(problem !== undefined && { problem }),
    }
  })
}
