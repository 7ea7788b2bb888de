import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Chunk, getChunks, hashToHex, xorbHash } from '@huggingface/xetchunk-wasm'
import { decodeLz4, joinGroups } from './lz4.ts'
import { fail, type HubState, json } from './state.ts'

/** Of the tokens that the hub gives for the CAS. */
export const XET_TOKEN = 'xet_access_token_for_the_cas'

/** Chunks of each xorb that was uploaded, by its hash. */
const xorbs = new WeakMap<HubState, Map<string, Buffer[]>>()

/**
 * The content-addressed storage, as far as uploads go: xorbs whose chunks and hash are checked, and shards that tell
 * which of them make a file, whose sha256 is checked before it counts as stored.
 * @see https://huggingface.co/docs/xet/en/index (xorb and shard formats)
 */
export async function answerCas(
  request: IncomingMessage,
  response: ServerResponse,
  state: HubState,
  _fault: unknown,
  url: URL,
): Promise<void> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const body = Buffer.concat(parts)
  if (request.headers.authorization !== `Bearer ${XET_TOKEN}`)
    return fail(response, 401, 'no token of the CAS')
  const known = xorbs.get(state) ?? new Map<string, Buffer[]>()
  xorbs.set(state, known)
  const [, , kind = '', , hash = ''] = url.pathname.split('/')
  if (request.method === 'POST' && url.pathname.startsWith('/v1/xorbs/default/')) {
    const chunks = unpackXorb(body)
    const found = hashToHex(xorbHash(chunks.map(hashChunk)))
    if (found !== hash) return fail(response, 400, `the xorb's hash is ${found}, not ${hash}`)
    const isNew = !known.has(hash)
    known.set(hash, chunks)
    return json(response, { was_inserted: isNew })
  }
  if (request.method === 'POST' && url.pathname === '/v1/shards') {
    for (const file of filesOfShard(body)) {
      const bytes = Buffer.concat(
        file.terms.flatMap(({ xorb, start, end }) => (known.get(xorb) ?? []).slice(start, end)),
      )
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      if (sha256 !== file.sha256)
        return fail(response, 400, `a file of the shard has sha256 ${sha256}, not ${file.sha256}`)
      await state.store.put(bytes)
    }
    return json(response, { result: 1 })
  }
  fail(response, 404, `nothing about ${kind} ${hash}`)
}

/** What an LFS batch says to a client that speaks xet. */
export function xetAction(hubUrl: string, id: string, casUrl: string): object {
  return {
    href: `${hubUrl}/api/models/${id}/xet-write-token/main`,
    header: {
      'X-Xet-Cas-Url': casUrl,
      'X-Xet-Access-Token': XET_TOKEN,
      'X-Xet-Token-Expiration': String(Math.floor(Date.now() / 1000) + 3600),
      'X-Xet-Session-Id': 'session-1',
    },
  }
}

/** A chunk that is cut from content is cut again at its end. */
function hashChunk(bytes: Buffer): Chunk {
  const [chunk, ...others] = getChunks(bytes)
  if (!chunk || others.length > 0 || chunk.length !== bytes.length) throw new Error('a chunk that is none')
  return chunk
}

/** Header of eight bytes: version, packed length, scheme, length; then the bytes. */
function unpackXorb(body: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const [version, packed, scheme, length] = [
      body[at],
      body.readUIntLE(at + 1, 3),
      body[at + 4],
      body.readUIntLE(at + 5, 3),
    ]
    const bytes = body.subarray(at + 8, at + 8 + packed)
    if (version !== 0 || bytes.length !== packed) throw new Error('a xorb that is cut off')
    if (scheme === 0) chunks.push(Buffer.from(bytes))
    else if (scheme === 1) chunks.push(decodeLz4(bytes, length))
    else if (scheme === 2) chunks.push(joinGroups(decodeLz4(bytes, length)))
    else throw new Error(`compression scheme ${scheme}`)
    if (chunks.at(-1)?.length !== length) throw new Error('a chunk of another length')
    at += 8 + packed
  }
  return chunks
}

interface ShardFile {
  readonly sha256: string
  readonly terms: readonly { readonly xorb: string; readonly start: number; readonly end: number }[]
}

const ENTRY = 48
const HAS_VERIFICATION = 0x80000000
const HAS_METADATA = 0x40000000

/** The section of files, up to its bookend. */
function filesOfShard(shard: Buffer): ShardFile[] {
  const files: ShardFile[] = []
  let at = ENTRY // behind the header
  while (!shard.subarray(at, at + 32).every((byte) => byte === 0xff)) {
    const flags = shard.readUInt32LE(at + 32)
    const count = shard.readUInt32LE(at + 36)
    at += ENTRY
    const terms = Array.from({ length: count }, (_, i) => {
      const entry = at + i * ENTRY
      return {
        xorb: hexOf(shard.subarray(entry, entry + 32)),
        start: shard.readUInt32LE(entry + 40),
        end: shard.readUInt32LE(entry + 44),
      }
    })
    at += count * ENTRY * (flags & HAS_VERIFICATION ? 2 : 1)
    if (!(flags & HAS_METADATA)) throw new Error('a file without its sha256')
    files.push({ sha256: hexOf(shard.subarray(at, at + 32)), terms })
    at += ENTRY
  }
  return files
}

/** Hashes in shards are four little-endian numbers of 64 bits. */
function hexOf(bytes: Buffer): string {
  return [0, 8, 16, 24].map((at) => bytes.readBigUInt64LE(at).toString(16).padStart(16, '0')).join('')
}
