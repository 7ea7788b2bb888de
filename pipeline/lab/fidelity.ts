// SPDX-License-Identifier: Apache-2.0

import { meanInterval, pairedRatio, quantile, type Values } from '../../eval/bootstrap.ts'
import type { ClipPositions, WayPositions } from '../gates/gate.ts'
import { meanOf, positionsOf } from '../gates/position.ts'
import type { ClipFidelity, Fidelity } from '../release/fidelity-schema.ts'

/* How close variants are to FP32: divergence, and changed transcripts. */

/** What was followed, and by what. */
export interface Followed extends Pick<Fidelity, 'variant' | 'provider' | 'bytes'> {
  readonly measured: WayPositions
}

/**
 * How close a variant is to the reference, on the utterances that were followed.
 * @param base what its mean divergence is compared with, on the same utterances: another variant's clips
 * @throws RangeError when the base is of other utterances
 */
export function fidelityOf(
  { variant, provider, bytes, measured: { way, clips, problem } }: Followed,
  base?: { readonly name: string; readonly clips: readonly ClipFidelity[] },
): Fidelity {
  const own = clips.filter(({ isUtterance }) => isUtterance)
  const positions = positionsOf(own)
  const byClip = clipFidelities(own)
  const changed = byClip.filter(({ isChanged }) => isChanged).length
  return {
    ...{ variant, provider, ...way, clips: own.length, positions: positions.length },
    kld: divergences(byClip, Float64Array.from(positions, ({ kld }) => kld).sort()),
    top1: known(positions.filter(({ isSame }) => isSame).length / positions.length),
    cosine: known(meanOf(positions.map(({ cosine }) => cosine))),
    changed,
    cut: own.filter(({ isCut }, i) => isCut && !byClip[i]?.isChanged).length,
    ...(base && base.name !== variant && own.length > 0 && { ratio: ratioTo(base, byClip) }),
    bytes,
    ...(problem !== undefined && { problem }),
  }
}

/** The fidelity of several variants, with the ratio to `to` of the same provider where that is among them. */
export function fidelitiesOf(followed: readonly Followed[], to: string): Fidelity[] {
  return followed.map((one) => {
    const base = followed.find(({ variant, provider }) => variant === to && provider === one.provider)
    if (base === undefined || base.measured.problem !== undefined) return fidelityOf(one)
    return fidelityOf(one, { name: to, clips: clipFidelities(base.measured.clips) })
  })
}

/**
 * Of each utterance. Its greedy transcript is the reference's exactly when the likeliest token is the reference's at
 * every position: no run of the variant along its own tokens is needed.
 */
export function clipFidelities(clips: readonly ClipPositions[]): ClipFidelity[] {
  return clips
    .filter(({ isUtterance }) => isUtterance)
    .map(({ clip, positions }) => ({
      ...{ clip, positions: positions.length },
      kld: positions.reduce((sum, { kld }) => sum + kld, 0),
      isChanged: positions.some(({ isSame }) => !isSame),
    }))
}

/**
 * The mean divergence as a multiple of another one's, with its 95 % interval by paired bootstrap.
 * @throws RangeError when the two are not of the same utterances
 */
export function ratioTo(
  { name, clips: base }: { readonly name: string; readonly clips: readonly ClipFidelity[] },
  clips: readonly ClipFidelity[],
): NonNullable<Fidelity['ratio']> {
  const byName = new Map(base.map((clip) => [clip.clip, clip]))
  const paired = clips.map(({ clip, positions }) => {
    const other = byName.get(clip)
    if (other?.positions === positions && base.length === clips.length) return other
    throw new RangeError(`The ratio to ${name} needs the same utterances: ${clip} was not compared alike.`)
  })
  const { ratio, low, high } = pairedRatio(paired.map(valuesOf), clips.map(valuesOf))
  return { to: name, mean: known(ratio), low: known(low), high: known(high) }
}

function divergences(clips: readonly ClipFidelity[], sorted: Float64Array): Fidelity['kld'] {
  const { low, high } = meanInterval(clips.map(valuesOf))
  return {
    ...{ mean: known(meanOf([...sorted])), low: known(low), high: known(high) },
    ...{ median: known(quantile(sorted, 0.5)), p99: known(quantile(sorted, 0.99)) },
    max: known(quantile(sorted, 1)),
  }
}

function valuesOf({ kld, positions }: ClipFidelity): Values {
  return { sum: kld, count: positions }
}

function known(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
