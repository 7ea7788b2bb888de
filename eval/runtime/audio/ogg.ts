// SPDX-License-Identifier: Apache-2.0

import { type AudioBlock, type Decoded, UnreadableError } from './audio-block.ts'
import type { ByteReader } from './byte-reader.ts'
import { type OggPage, oggPages } from './ogg-pages.ts'

/** One logical stream within an Ogg file. */
export interface OggStream {
  /** @returns what could be decoded with this page */
  decode(page: OggPage): Promise<AudioBlock | undefined>
  end(): Promise<AudioBlock | undefined>
  free(): void
}

interface Link {
  readonly serial: number
  readonly stream: OggStream
  /** of the page before */
  sequence: number
  hasEnded: boolean
  hasData: boolean
}

/**
 * Decode Opus or Vorbis in Ogg. Links of a chain (RFC 3533 section 4) are read one behind the other, each in its own
 * format; of streams side by side the first with sound is read.
 * @param notes gets a sentence when pages are missing
 * @throws SpeechError when pages are damaged
 * @throws UnreadableError when there is neither codec
 */
export async function decodeOgg(reader: ByteReader, notes: string[]): Promise<Decoded> {
  return { isFloat: false, blocks: links(reader, notes) }
}

async function* links(reader: ByteReader, notes: string[]): AsyncGenerator<AudioBlock> {
  let link: Link | undefined
  try {
    for await (const page of oggPages(reader, notes)) {
      if (page.isFirst && (link === undefined || link.hasEnded || link.hasData)) {
        const next = await startLink(page)
        if (next && link) yield* blocksOf(await link.stream.end())
        if (next) link?.stream.free()
        link = next ?? link
      }
      if (link === undefined || page.serial !== link.serial || link.hasEnded) continue
      noteGap(link, page, notes)
      yield* blocksOf(await link.stream.decode(page))
      link.hasData ||= !page.isFirst
      link.hasEnded = page.isLast
    }
    if (link) yield* blocksOf(await link.stream.end())
  } finally {
    link?.stream.free()
  }
  if (link === undefined) throw new UnreadableError('The Ogg file has no Opus and no Vorbis stream')
}

function* blocksOf(block: AudioBlock | undefined): Generator<AudioBlock> {
  if (block) yield block
}

async function startLink(page: OggPage): Promise<Link | undefined> {
  const start = page.body.toString('latin1', 0, 8)
  const stream =
    start === 'OpusHead'
      ? await (await import('./opus.ts')).startOpus(page.body)
      : start.startsWith('\x01vorbis')
        ? await (await import('./vorbis.ts')).startVorbis()
        : undefined
  return (
    stream && { serial: page.serial, stream, sequence: page.sequence - 1, hasEnded: false, hasData: false }
  )
}

/** Recordings of a running stream have its headers, then pages from anywhere. */
function noteGap(link: Link, page: OggPage, notes: string[]): void {
  const isGap = page.sequence > link.sequence + 1 && link.sequence >= 2
  link.sequence = page.sequence
  const sentence = 'Pages of the Ogg file are missing: there are gaps in the sound.'
  if (isGap && !notes.includes(sentence)) notes.push(sentence)
}
