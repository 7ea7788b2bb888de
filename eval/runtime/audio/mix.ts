// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import type { AudioBlock } from './audio-block.ts'
import { checkFinite } from './sample-checks.ts'

/* One channel from several. */

/** Below the louder channel, as a power: 20 dB. */
const CANCELLED = 0.01
/** Against channels that have nothing in common; one that speaks among many silent ones is not a loss of this kind. */
const UNEXPECTED = 0.1
/** The other channel must be 6 dB louder to be taken instead: channels in opposite phase must not alternate. */
const LOUDER = 4

/** One channel of samples, full scale 1, with its rate in samples a second. */
export interface Mono {
  readonly sampleRate: number
  readonly samples: Float32Array
}

/**
 * One channel from all: their mean, as librosa's to_mono and torchaudio mix. In every second in which they cancel each
 * other out (opposite phase), so that the mean is 20 dB below the louder channel, that channel instead.
 * @param notes gets a sentence about it at the end
 * @throws SpeechError for a sample that is not finite, with its time
 */
export async function* mixDown(blocks: AsyncIterable<AudioBlock>, notes: string[]): AsyncGenerator<Mono> {
  let [seconds, cancelled, taken] = [0, 0, -1]
  for await (const { sampleRate, channels } of inSecondsOf(blocks)) {
    for (const samples of channels) checkFinite(samples, seconds, sampleRate)
    const mean = meanOf(channels)
    const loudest = channels.length > 1 ? loudestIfCancelled(channels, mean, taken) : undefined
    if (loudest !== undefined) {
      taken = loudest
      cancelled += mean.length / sampleRate
    }
    seconds += mean.length / sampleRate
    yield { sampleRate, samples: channels[loudest ?? -1] ?? mean }
  }
  if (cancelled > 0) {
    notes.push(
      `The channels are in opposite phase for ${cancelled.toFixed(1)} of ${seconds.toFixed(1)} s and cancel each other out; the louder one was taken there.`,
    )
  }
}

function meanOf(channels: readonly Float32Array[]): Float32Array {
  const [first] = channels
  if (first === undefined) throw new SpeechError('The file has no channels.')
  if (channels.length === 1) return first
  const mean = new Float32Array(first.length)
  for (let i = 0; i < mean.length; i++) {
    let sum = 0
    for (const channel of channels) sum += channel[i] as number
    mean[i] = sum / channels.length
  }
  return mean
}

/** @param taken the channel that was chosen last; -1 before */
function loudestIfCancelled(
  channels: readonly Float32Array[],
  mean: Float32Array,
  taken: number,
): number | undefined {
  const energies = channels.map(energyOf)
  const most = Math.max(...energies)
  const sum = energies.reduce((total, energy) => total + energy, 0)
  const left = energyOf(mean)
  const isLost = left < CANCELLED * most && left < (UNEXPECTED * sum) / channels.length ** 2
  if (!isLost) return undefined
  return most < LOUDER * (energies[taken] ?? 0) ? taken : energies.indexOf(most)
}

function energyOf(samples: Float32Array): number {
  let energy = 0
  for (let i = 0; i < samples.length; i++) energy += (samples[i] as number) ** 2
  return energy
}

/** Blocks of several channels as blocks of one second; the last of a format is shorter. Mono passes as it is. */
async function* inSecondsOf(blocks: AsyncIterable<AudioBlock>): AsyncGenerator<AudioBlock> {
  let held: AudioBlock | undefined
  for await (const block of blocks) {
    const continues = held?.sampleRate === block.sampleRate && held.channels.length === block.channels.length
    if (held && !continues) yield held
    held = held && continues ? joined(held, block) : block
    const step = block.channels.length > 1 ? block.sampleRate : Number.POSITIVE_INFINITY
    const length = held.channels[0]?.length ?? 0
    let from = 0
    for (; length - from >= step; from += step) yield part(held, from, from + step)
    held = step === Number.POSITIVE_INFINITY ? void (yield held) : part(held, from, length)
  }
  if (held) yield held
}

function joined(first: AudioBlock, second: AudioBlock): AudioBlock {
  const channels = first.channels.map((samples, i) => {
    const added = second.channels[i] ?? new Float32Array()
    const all = new Float32Array(samples.length + added.length)
    all.set(samples)
    all.set(added, samples.length)
    return all
  })
  return { sampleRate: first.sampleRate, channels }
}

function part(block: AudioBlock, from: number, to: number): AudioBlock {
  return {
    sampleRate: block.sampleRate,
    channels: block.channels.map((samples) => samples.subarray(from, to)),
  }
}
