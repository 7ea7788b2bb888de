// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { cp, link, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PROJECT } from '../eval/runtime/project.ts'
import { Failure } from '../pipeline/shared/failure.ts'

/*
 * onnxruntime chooses its kernels by what the processor says, and has no option for it. In a copy of its library a few instructions
 * are others, so that it finds an older processor: kernels of AVX2 run at full speed on a processor that has more. Nothing below
 * node_modules/onnxruntime-node changes.
 */

/** Older processors, each with what it lacks: `avx512` has AVX-512 without VNNI. */
export const OLDER_KERNELS = ['avx2', 'avx512'] as const
/** One of {@link OLDER_KERNELS}. */
export type OlderKernels = (typeof OLDER_KERNELS)[number]

const PACKAGE = 'onnxruntime-node'
const LIBRARY = join('bin', 'napi-v6', 'linux', 'x64', 'libonnxruntime.so.1')
const COPIES = join(PROJECT, 'node_modules', '.cache', 'qwen3-asr-onnx-runtimes') // finds the package's own dependencies
const HOOK = new URL('./runtime-hook.js', import.meta.url)

/** An instruction that is replaced, `bytes` at `at`. */
interface Site {
  readonly kind: Kind
  readonly at: number
  readonly bytes: readonly number[]
}
type Kind = 'states that the system saves' | 'VNNI of AVX' | 'VNNI of AVX-512'

const CPUID = Buffer.from('0fa2', 'hex')
const XGETBV = Buffer.from('0f01d0', 'hex')
/** push 7; pop rax: x87, SSE and AVX, without AVX-512 and AMX. */
const ONLY_AVX = [0x6a, 0x07, 0x58]
/** mov eax, 7; mov ecx, 1; cpuid. Its bit 4 is AVX-VNNI. */
const LEAF_7_1 = Buffer.from('b807000000b9010000000fa2', 'hex')
const LEAF_7 = Buffer.from('b8070000000fa2', 'hex')
/** The number of the part that is asked for, in {@link LEAF_7_1}; processors answer 0 for one that they do not have. */
const PART = { at: 6, none: 0x7f }
/** The end of `and REGISTER, 0x800`: AVX512_VNNI of leaf 7. Before it is 81, and e0 to e7 for the register. */
const AND_VNNI = Buffer.from('00080000', 'hex')
/** Between the instructions of one place that queries the processor, in bytes. */
const NEAR = { before: 64, after: 256, function: 2048 }

/**
 * Where the library reads what processor it runs on.
 * @throws Failure when a place looks different from what this module expects: another version of onnxruntime may need other bytes
 */
export function findSites(library: Buffer, kernels: OlderKernels): Site[] {
  const avxVnni = everyPlace(library, LEAF_7_1).map(
    (at): Site => ({ kind: 'VNNI of AVX', at: at + PART.at, bytes: [PART.none] }),
  )
  const others = kernels === 'avx2' ? savedStates(library) : avx512Vnni(library)
  for (const [kind, sites] of [
    ['VNNI of AVX', avxVnni],
    [`the rest for ${kernels}`, others],
  ] as const)
    if (sites.length === 0) throw unknown(`no place that queries ${kind}`)
  return [...others, ...avxVnni]
}

/** XGETBV beside CPUID. The same bytes are the end of `and REGISTER, 15` before an addition, in code that reads digits. */
function savedStates(library: Buffer): Site[] {
  return everyPlace(library, XGETBV).flatMap((at): Site[] => {
    const isBeside =
      library.subarray(at - NEAR.before, at).includes(CPUID) &&
      library.subarray(at, at + NEAR.after).includes(CPUID)
    if (isBeside) return [{ kind: 'states that the system saves', at, bytes: ONLY_AVX }]
    if (library[at - 2] === 0x83) return []
    throw unknown(`XGETBV away from CPUID at byte ${at}`)
  })
}

/** The mask in the function that chooses kernels: it reads leaf 7 shortly before. */
function avx512Vnni(library: Buffer): Site[] {
  const sites: Site[] = []
  for (const leaf of everyPlace(library, LEAF_7)) {
    for (const at of everyPlace(library.subarray(leaf, leaf + NEAR.function), AND_VNNI)) {
      const [operation, register = 0] = library.subarray(leaf + at - 2, leaf + at)
      if (operation === 0x81 && register >> 3 === 0xe0 >> 3)
        sites.push({ kind: 'VNNI of AVX-512', at: leaf + at, bytes: [0, 0, 0, 0] })
    }
  }
  if (sites.length > 1) throw unknown(`${sites.length} places that query VNNI of AVX-512, wanted 1`)
  return sites
}

function everyPlace(library: Buffer, bytes: Buffer): number[] {
  const places: number[] = []
  for (let at = library.indexOf(bytes); at >= 0; at = library.indexOf(bytes, at + 1)) places.push(at)
  return places
}

function unknown(found: string): Failure {
  return new Failure(
    `The kernels of this onnxruntime cannot be chosen: its library has ${found}.`,
    'scripts/masked-runtime.ts supports version 1.30.0 for Linux x64.',
  )
}

/** Whether this machine runs the library that this module supports. */
export function canMask(): boolean {
  return process.platform === 'linux' && process.arch === 'x64'
}

/**
 * The package onnxruntime-node with kernels of an older processor, made once for each version of this module and of the library.
 * @returns its folder
 * @throws Failure when the library is not the one that this module supports
 */
export async function maskedRuntime(kernels: OlderKernels): Promise<string> {
  if (!canMask())
    throw new Failure(
      `Kernels are chosen on Linux x64 only; this is ${process.platform} ${process.arch}.`,
      'Leave them as they are: npm run kernels -- native COMMAND.',
    )
  const original = dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`))
  const library = await readFile(join(original, LIBRARY))
  const key = createHash('sha256')
    .update(library)
    .update(await readFile(fileURLToPath(import.meta.url)))
  const folder = join(COPIES, `${kernels}-${key.digest('hex').slice(0, 16)}`)
  if (await stat(folder).catch(() => undefined)) return folder
  await mkdir(COPIES, { recursive: true })
  const made = await mkdtemp(join(COPIES, 'making-'))
  try {
    await copyPackage(original, made)
    for (const { at, bytes } of findSites(library, kernels)) library.set(bytes, at)
    await writeFile(join(made, LIBRARY), library)
    await rename(made, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // another process was faster
    })
  } finally {
    await rm(made, { recursive: true, force: true })
  }
  return folder
}

/** Everything that Linux x64 needs but the library: links where possible, since nobody changes them. */
async function copyPackage(original: string, folder: string): Promise<void> {
  for (const part of ['package.json', 'dist'])
    await cp(join(original, part), join(folder, part), { recursive: true })
  await mkdir(dirname(join(folder, LIBRARY)), { recursive: true })
  const binding = join(dirname(LIBRARY), 'onnxruntime_binding.node')
  const [from, to] = [join(original, binding), join(folder, binding)]
  await link(from, to).catch(() => cp(from, to))
}

/** The environment in which Node's processes import the runtime of {@link maskedRuntime} wherever they import onnxruntime-node. */
export function runtimeEnvironment(folder: string): { NODE_OPTIONS: string; QWEN3_ASR_ONNX_RUNTIME: string } {
  const { main } = createRequire(import.meta.url)(join(folder, 'package.json')) as { main: string }
  return {
    NODE_OPTIONS: [process.env['NODE_OPTIONS'], `--import=${HOOK.href}`].filter(Boolean).join(' '),
    QWEN3_ASR_ONNX_RUNTIME: pathToFileURL(join(folder, main)).href,
  }
}
