// SPDX-License-Identifier: Apache-2.0

/** A range of the chunks of a xorb, which a file is made of. */
export interface Term {
  readonly xorb: string
  readonly start: number
  readonly end: number
  readonly length: number
  /** hash over the chunks' hashes, which proves that the uploader has them */
  readonly rangeHash: string
}

export interface ShardFile {
  readonly hash: string
  readonly sha256: string
  readonly terms: readonly Term[]
}

export interface ShardXorb {
  readonly hash: string
  readonly chunks: readonly { readonly hash: string; readonly length: number }[]
}

const MAGIC = Buffer.from('HFRepoMetaData\0', 'latin1')
const HEADER = 48
const ENTRY = 48
const HAS_VERIFICATION = 0x80000000
const HAS_METADATA = 0x40000000

/**
 * The two sections of a shard; what may follow, lookup tables and a footer, repeats them.
 * @throws Error (RangeError when it is cut off)
 * @see https://huggingface.co/docs/xet/en/shard
 */
export function parseShard(shard: Buffer): { files: ShardFile[]; xorbs: ShardXorb[] } {
  if (!shard.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('not a shard')
  const version = shard.readBigUInt64LE(32)
  if (version !== 2n) throw new Error(`a shard of version ${version}`)
  const files: ShardFile[] = []
  const xorbs: ShardXorb[] = []
  let at = HEADER
  for (; !isBookend(shard, at); at = readFile(shard, at, files));
  for (at += ENTRY; !isBookend(shard, at); at = readXorb(shard, at, xorbs));
  return { files, xorbs }
}

/** Hashes in shards are four little-endian numbers of 64 bits. */
export function hexAt(shard: Buffer, at: number): string {
  return [0, 8, 16, 24]
    .map((i) =>
      shard
        .readBigUInt64LE(at + i)
        .toString(16)
        .padStart(16, '0'),
    )
    .join('')
}

function isBookend(shard: Buffer, at: number): boolean {
  return hexAt(shard, at) === 'f'.repeat(64)
}

/** @returns where the next entry starts */
function readFile(shard: Buffer, start: number, files: ShardFile[]): number {
  const flags = shard.readUInt32LE(start + 32)
  const count = shard.readUInt32LE(start + 36)
  if (!(flags & HAS_VERIFICATION)) throw new Error('a file without proofs of its ranges')
  if (!(flags & HAS_METADATA)) throw new Error('a file without its sha256')
  const proofs = start + ENTRY * (1 + count)
  const metadata = proofs + ENTRY * count
  const terms = Array.from({ length: count }, (_, i) => {
    const at = start + ENTRY * (1 + i)
    return {
      ...{ xorb: hexAt(shard, at), length: shard.readUInt32LE(at + 36) },
      ...{ start: shard.readUInt32LE(at + 40), end: shard.readUInt32LE(at + 44) },
      rangeHash: hexAt(shard, proofs + ENTRY * i),
    }
  })
  files.push({ hash: hexAt(shard, start), sha256: hexAt(shard, metadata), terms })
  return metadata + ENTRY
}

function readXorb(shard: Buffer, start: number, xorbs: ShardXorb[]): number {
  const count = shard.readUInt32LE(start + 36)
  const chunks = Array.from({ length: count }, (_, i) => {
    const at = start + ENTRY * (1 + i)
    return { hash: hexAt(shard, at), length: shard.readUInt32LE(at + 36) }
  })
  xorbs.push({ hash: hexAt(shard, start), chunks })
  return start + ENTRY * (1 + count)
}
