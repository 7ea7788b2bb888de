// SPDX-License-Identifier: Apache-2.0

import { constants, createReadStream, fstatSync, open as openFile, read } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isatty } from 'node:tty'
import { describeFileError, irregularKind } from '../plain-file.ts'
import { SpeechError } from '../speech-error.ts'
import { type AudioFile, type AudioSource, HEAD } from './audio-source.ts'
import { openBlob } from './blob-file.ts'
import { ByteReader, fileInput, streamInput } from './byte-reader.ts'

/**
 * Open a source.
 * @throws SpeechError naming what is not a file, without ever waiting for another program to write
 */
export async function openAudioFile(source: AudioSource, signal?: AbortSignal): Promise<AudioFile> {
  if ('path' in source) return openPath(source.path)
  return 'blob' in source ? openBlobFile(source) : openDescriptor(source, signal)
}

async function openPath(path: string): Promise<AudioFile> {
  if (path.includes('\0'))
    throw new SpeechError(`${JSON.stringify(path)} holds a NUL character, which no file name does.`)
  const refuse = (error: unknown) => {
    const hint = /^[a-z][a-z\d+.-]+:\/\//i.test(path) ? 'URLs are not fetched: download the file first.' : ''
    throw new SpeechError(describeFileError(path || '""', error), hint)
  }
  const kind = irregularKind(await stat(path).catch(refuse))
  if (kind !== undefined) {
    const hint =
      kind === 'a directory'
        ? 'Name the files in it.'
        : 'Give it to the standard input, and name - as the recording.'
    throw new SpeechError(`${path} is ${kind}, wanted an audio file.`, hint)
  }
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(refuse)
  return begun(await fromHandle(path, handle, async () => {}), path, 'file')
}

/** For a decoder that is a program of its own, it is written to the temp folder. */
async function openBlobFile({ blob, name }: Extract<AudioSource, { blob: Blob }>): Promise<AudioFile> {
  let saved: Promise<AudioFile> | undefined
  const file = openBlob(blob, async (reader) => {
    saved ??= saveRest(reader)
    return (await saved).onDisk()
  })
  const close = async () => void (await (await saved)?.close())
  return begun({ ...file, close }, name, 'blob')
}

/** @throws SpeechError when there is nothing to read; the source is closed then */
async function begun(file: AudioFile, name: string, what: string): Promise<AudioFile> {
  try {
    if ((await file.reader.peek(1)).length > 0) return file
  } catch (error) {
    await file.close()
    throw new SpeechError(describeFileError(name, error))
  }
  await file.close()
  throw new SpeechError(`${name}: The ${what} is empty (0 bytes).`)
}

async function fromHandle(
  path: string,
  handle: FileHandle,
  release: () => Promise<void>,
): Promise<AudioFile> {
  const { size } = await handle.stat()
  const start = () => new ByteReader(fileInput(handle), size)
  const close = async () => {
    await handle.close()
    await release()
  }
  const file = (): AudioFile => ({
    reader: start(),
    isStream: false,
    rawRate: undefined,
    onDisk: async () => ({ path, head: await start().peek(HEAD) }),
    again: async () => file(),
    close,
  })
  return file()
}

type Descriptor = Extract<AudioSource, { fd: number }>

async function openDescriptor({ fd, name, rawRate }: Descriptor, signal?: AbortSignal): Promise<AudioFile> {
  const stream = openStream(fd, name)
  const stop = () => stream.destroy()
  signal?.addEventListener('abort', stop)
  const reader = new ByteReader(streamInput(stream))
  reader.keep()
  let saved: Promise<AudioFile> | undefined
  const save = () => {
    saved ??= saveRest(reader)
    return saved
  }
  const close = async () => {
    signal?.removeEventListener('abort', stop)
    stream.destroy()
    await (await saved)?.close()
  }
  const file = {
    reader,
    isStream: true,
    rawRate,
    onDisk: async () => (await save()).onDisk(),
    again: async () => ({ ...(await save()), rawRate, close }),
    close,
  }
  return begun(file, name, 'stream')
}

function openStream(fd: number, name: string) {
  try {
    return streamOf(fd, name)
  } catch (error) {
    throw error instanceof SpeechError ? error : new SpeechError(describeFileError(name, error))
  }
}

/** A read that blocks a thread of Node's pool would keep the process from ending. */
function streamOf(fd: number, name: string) {
  const info = fstatSync(fd)
  if (info.isDirectory()) throw new SpeechError(`${name} is a directory, wanted audio.`)
  if (isatty(fd)) throw new SpeechError(`${name} is a terminal, wanted audio from a file or a program.`)
  if (info.isFIFO() || info.isSocket()) return new Socket({ fd, readable: true, writable: false })
  // destroyed before its end, it would close the descriptor of the caller, who may do so again
  const close = (_: number, done: (error: null) => void) => done(null)
  return createReadStream('', { fd, autoClose: false, fs: { open: openFile, read, close } })
}

async function saveRest(reader: ByteReader): Promise<AudioFile> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-audio-'))
  const release = () => rm(folder, { recursive: true, force: true })
  const path = join(folder, 'stream')
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'wx+')
    for await (const bytes of reader.everything()) await handle.writeFile(bytes)
    return await fromHandle(path, handle, release)
  } catch (error) {
    await handle?.close()
    await release()
    throw error
  }
}
