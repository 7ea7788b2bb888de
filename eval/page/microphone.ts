// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'

/** Of the model; browsers that cannot record at it record at their own. */
const WANTED_RATE = 16_000
/** Samples are in memory: 115 MB at the wanted rate, three times that at 48 kHz. */
export const LONGEST_SECONDS = 30 * 60

/** A context that the system has stopped does not answer. */
const LONGEST_WAIT_MS = 500

/** Audio from the microphone. */
export interface Recorded {
  /** mono, full scale 1 */
  readonly samples: Float32Array
  readonly sampleRate: number
}

/** A recording that has begun. */
export interface Recording {
  /** Give the microphone back. */
  stop(): Promise<Recorded>
}

/**
 * Record from the microphone until it is stopped, or {@link LONGEST_SECONDS} have passed.
 * @param onLevel called with the level, 0 to 1, and the seconds so far, at least ten times a second
 * @throws SpeechError without a microphone, or when the user or the browser refuses it
 */
export async function record(onLevel: (level: number, seconds: number) => void): Promise<Recording> {
  const stream = await openMicrophone()
  try {
    return await recordStream(stream, onLevel)
  } catch (error) {
    for (const track of stream.getTracks()) track.stop()
    throw error
  }
}

async function recordStream(
  stream: MediaStream,
  onLevel: (level: number, seconds: number) => void,
): Promise<Recording> {
  const { context, source } = connect(stream)
  await context.audioWorklet.addModule(new URL('recorder.js', import.meta.url))
  const recorder = new AudioWorkletNode(context, 'recorder', { numberOfOutputs: 0 })
  const blocks: Float32Array[] = []
  let count = 0
  let onEnd = () => {}
  recorder.port.onmessage = ({ data }: MessageEvent<Float32Array | 'end'>) => {
    if (data === 'end') return onEnd()
    if (count >= LONGEST_SECONDS * context.sampleRate) return
    blocks.push(data)
    count += data.length
    onLevel(levelOf(data), count / context.sampleRate)
  }
  source.connect(recorder)
  await context.resume()
  return {
    async stop() {
      await new Promise<void>((resolve) => {
        onEnd = resolve // what it has not sent yet comes first
        recorder.port.postMessage('end')
        setTimeout(resolve, LONGEST_WAIT_MS)
      })
      recorder.port.onmessage = null
      source.disconnect()
      for (const track of stream.getTracks()) track.stop()
      const { sampleRate } = context
      await context.close()
      return { samples: joined(blocks, count), sampleRate }
    },
  }
}

async function openMicrophone(): Promise<MediaStream> {
  if (!navigator.mediaDevices)
    throw new SpeechError(
      'This browser gives pages no microphone here.',
      'Open the page with https, or from localhost.',
    )
  try {
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false }
    return await navigator.mediaDevices.getUserMedia({ audio })
  } catch (error) {
    const { name, message } = error as DOMException
    if (name === 'NotAllowedError')
      throw new SpeechError(
        'The microphone was not allowed.',
        "Allow it in the browser's settings of this page, or choose a file.",
      )
    if (name === 'NotFoundError')
      throw new SpeechError('There is no microphone.', 'Connect one, or choose a file.')
    throw new SpeechError(
      `The microphone cannot be used (${name}: ${message}).`,
      'Another program may use it.',
    )
  }
}

/** Some browsers connect a microphone to a context of its own rate alone. */
function connect(stream: MediaStream): { context: AudioContext; source: MediaStreamAudioSourceNode } {
  const context = new AudioContext({ sampleRate: WANTED_RATE })
  try {
    return { context, source: context.createMediaStreamSource(stream) }
  } catch {
    void context.close()
    const own = new AudioContext()
    return { context: own, source: own.createMediaStreamSource(stream) }
  }
}

/** Root mean square in decibels from -60 to 0, as 0 to 1. */
function levelOf(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length)
  return Math.min(1, Math.max(0, 1 + Math.log10(Math.max(1e-12, power)) / 6))
}

function joined(blocks: readonly Float32Array[], count: number): Float32Array {
  const all = new Float32Array(count)
  let at = 0
  for (const block of blocks) {
    all.set(block, at)
    at += block.length
  }
  return all
}
