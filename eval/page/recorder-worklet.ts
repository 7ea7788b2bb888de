// SPDX-License-Identifier: Apache-2.0

/* Runs in the thread of the audio: collects what the microphone gives, as mono, and hands it over in blocks. */

/** The DOM's types lack what is global in a worklet (webaudio.github.io). */
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort
}
declare function registerProcessor(name: string, kind: new () => AudioWorkletProcessor): void

const BLOCK = 2048

class Recorder extends AudioWorkletProcessor {
  #block = new Float32Array(BLOCK)
  #count = 0

  constructor() {
    super()
    this.port.onmessage = () => {
      this.#handOver()
      this.port.postMessage('end')
    }
  }

  /** @param inputs channels of 128 samples */
  process([channels = []]: Float32Array[][]): boolean {
    const length = channels[0]?.length ?? 0
    for (let i = 0; i < length; i++) {
      const sum = channels.reduce((total, channel) => total + (channel[i] ?? 0), 0)
      this.#block[this.#count++] = sum / channels.length
      if (this.#count === BLOCK) this.#handOver()
    }
    return true
  }

  #handOver(): void {
    const block = this.#block.subarray(0, this.#count)
    this.port.postMessage(block, [block.buffer])
    this.#block = new Float32Array(BLOCK)
    this.#count = 0
  }
}

registerProcessor('recorder', Recorder)
