// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module'

/** The part of libflacjs that decoding uses (https://mmig.github.io/libflac.js/doc/). */
export interface LibFlac {
  isReady(): boolean
  on(event: 'ready', listener: () => void): void
  create_libflac_decoder(verifyMd5: boolean): number
  init_decoder_stream(
    decoder: number,
    read: (bytes: number) => { buffer: Uint8Array; readDataLength: number; error: boolean },
    write: (channels: readonly Uint8Array[], block: FrameHeader) => void,
    error: (code: number, description: string) => void,
    metadata: (info: StreamInfo | undefined) => void,
  ): number
  FLAC__stream_decoder_process_single(decoder: number): boolean | number
  FLAC__stream_decoder_get_state(decoder: number): number
  FLAC__stream_decoder_finish(decoder: number): boolean | number
  FLAC__stream_decoder_delete(decoder: number): void
}

/** What libFLAC passes with the samples of one frame: samples of a channel, samples a second, bits of a sample. */
export interface FrameHeader {
  readonly blocksize: number
  readonly sampleRate: number
  readonly bitsPerSample: number
}

/** What libFLAC passes of the STREAMINFO block (RFC 9639, section 8.2). */
export interface StreamInfo {
  readonly sampleRate: number
  readonly channels: number
  readonly bitsPerSample: number
  /** 0 when the encoder did not record it */
  readonly total_samples: number
}

// libFLAC itself; @wasm-audio-decoders/flac finds frames on its own and loses the last one of some files.
// The asm.js build, since the wasm one fetches its binary by URL, which Node cannot.
/** The decoder, as libflacjs exports it to Node. */
export const flac = createRequire(import.meta.url)('libflacjs/dist/libflac.js') as LibFlac
