import type { Stats } from 'node:fs'
import { constants, type FileHandle, open } from 'node:fs/promises'
import { SpeechError } from './speech-error.ts'

/** Never waits: opening a FIFO for reading would, until somebody writes to it. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** What stands in place of a regular file; undefined for one that is regular. */
export function irregularKind(info: Stats): string | undefined {
  if (info.isFile()) return undefined
  if (info.isDirectory()) return 'a directory'
  if (info.isFIFO()) return 'a FIFO'
  if (info.isSocket()) return 'a socket'
  return 'a device'
}

/**
 * Open a file for reading, and only a regular one: reading a FIFO or a device may never end.
 * @throws SpeechError naming what it is instead; the system's error when it is not there
 */
export async function openRegular(path: string): Promise<FileHandle> {
  const file = await open(path, READ).catch((error: NodeJS.ErrnoException) => {
    // Sockets cannot be opened, nor devices without a driver.
    if (error.code === 'ENXIO' || error.code === 'ENODEV') throw irregular(path, 'a socket or device')
    throw error
  })
  const kind = irregularKind(await file.stat())
  if (kind === undefined) return file
  await file.close()
  throw irregular(path, kind)
}

/** The content of a regular file. @throws as {@link openRegular} */
export async function readRegular(path: string): Promise<Buffer> {
  const file = await openRegular(path)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function irregular(path: string, kind: string): SpeechError {
  return new SpeechError(`${path} is ${kind}, wanted a file.`)
}
