// SPDX-License-Identifier: Apache-2.0

import type { Comparison } from '../../eval/parity.ts'
import { providerOf, USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import type { Way } from '../../eval/runtime/release.ts'
import type { ModelOptions } from '../../eval/system.ts'
import type { ClipsGate, Finding, Limits, LogitsGate, ParityClip, WayPositions } from '../gates/gate.ts'
import { type GateLimits, gatesOf } from '../gates.ts'
import { wayName } from '../release/gate-result.ts'
import { Failure } from '../shared/failure.ts'
import { followClips, type PositionLog, positionLog } from './follow-clips.ts'

/** Which variant is measured, in which ways and for which gates. */
export interface MeasureOptions extends Pick<ModelOptions, 'folder' | 'variant' | 'provider' | 'threads'> {
  readonly gates: GateLimits
  readonly ways: readonly Way[]
  /** all clips, read again at each call; `what` is for the progress */
  clips(what: string): AsyncIterable<ParityClip>
}

/** What gates found of a variant, and every comparison that they made. */
export interface Measured {
  readonly findings: readonly Finding[]
  readonly comparisons: readonly (Comparison & Way)[]
  /** the usual way along all utterances, whatever the gates */
  readonly usual: WayPositions
}

/**
 * Run the gates of a variant that compare it with PyTorch. Each way through it is loaded once for all of them, and followed
 * along PyTorch's tokens once: a gate that does so already shows what it sees.
 * @throws SpeechError when a graph is missing or refused
 */
export async function measureVariant(options: MeasureOptions): Promise<Measured> {
  const rows = gatesOf(options.gates)
  const onClips = rows.flatMap(([gate, limits]) => (gate.kind === 'clips' ? [{ gate, limits }] : []))
  const onLogits = rows.flatMap(([gate, limits]) => (gate.kind === 'logits' ? [{ gate, limits }] : []))
  const comparisons: (Comparison & Way)[] = []
  const followed: WayPositions[] = []
  const { tolerance } = providerOf(options.provider)
  for (const [i, way] of options.ways.entries()) {
    const wanted = onClips.filter(({ gate, limits }) => gate.figures([way], limits, tolerance).length > 0)
    const kinds = new Set(onLogits.map(({ gate }) => gate.on))
    if (i === 0) kinds.add('utterances')
    if (wanted.length + kinds.size === 0) continue
    await withRecognizer(options, way, async (recognizer) => {
      const seen = positionLog()
      const made: Comparison[] = []
      const clips = (what: string) => options.clips(nameFor(options, what))
      for (const { gate } of wanted)
        made.push(...(await gate.measure(recognizer, way, clips, tolerance, seen.lookAt)))
      comparisons.push(...made.map((comparison) => ({ ...comparison, ...way })))
      if (seen.clips().length > 0) followed.push(positionsOf(way, seen, made))
      else if (kinds.size > 0)
        followed.push(
          await followClips(recognizer, way, clips(wayName(way)), (clip) => kinds.has(kindOf(clip))),
        )
    })
  }
  const [usual] = followed
  if (usual === undefined) throw new Failure(`The variant ${options.variant} has no layout that can be run.`)
  return {
    findings: [
      ...onClips.flatMap(({ gate, limits }) => summarize(gate, limits, comparisons, options)),
      ...onLogits.flatMap(({ gate, limits }) => gate.judge(followed.map(onlyOf(gate)), limits)),
    ],
    ...{ comparisons, usual },
  }
}

/** What gates have seen along the tokens: with a problem nothing, as {@link followClips}. */
function positionsOf(way: Way, seen: PositionLog, comparisons: readonly Comparison[]): WayPositions {
  const broken = comparisons.find(({ problem }) => problem !== undefined)
  if (broken === undefined) return { way, clips: seen.clips() }
  return { way, clips: [], problem: `${broken.clip}: ${broken.problem}` }
}

function kindOf({ isUtterance }: Pick<ParityClip, 'isUtterance'>): LogitsGate['on'] {
  return isUtterance ? 'utterances' : 'cuts'
}

/** The clips that a gate is on. */
function onlyOf({ on }: LogitsGate) {
  return (way: WayPositions): WayPositions => ({
    ...way,
    clips: way.clips.filter((clip) => kindOf(clip) === on),
  })
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
