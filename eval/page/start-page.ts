// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import { findDevices } from './devices.ts'
import { announce, buttonOf, divOf, inputOf, metaOf } from './dom.ts'
import { fetchFiles } from './fetch-files.ts'
import { canPickFolder, droppedFiles, pickedFiles, pickFolder } from './folder-files.ts'
import {
  type KeptRelease,
  keptFolder,
  keptReleases,
  noteRelease,
  presentBytes,
  requireRoom,
} from './kept-releases.ts'
import { showMachine, showOffline } from './machine-view.ts'
import { chosen, makeProgress, showBegin, showFound, showKept, showLoaded, showState } from './model-view.ts'
import { keepOffline, mayReload } from './offline.ts'
import { type Engine, loadEngine, unloadEngine } from './page-engine.ts'
import { hideProblem, showProblem } from './problem.ts'
import { type ReleaseAddress, releaseAddress } from './release-address.ts'
import type { WantedVariant } from './release-manifest.ts'
import { type FolderFile, type FoundRelease, findInFolder, findOnNetwork } from './release-source.ts'
import { leaveRecording, prepareSpeech } from './speech-view.ts'
import { prepareTranscription, type Sound, stopTranscription, transcribe } from './transcription.ts'
import type { Device } from './variant-choice.ts'

/* The page from its start on: which of its parts is called for what. */

const devices = findDevices()
const hub = metaOf('hub')
let engine: Engine | undefined
let found: FoundRelease | undefined
let loaded: { readonly what: Loaded; readonly files: ReadonlyMap<string, Blob> } | undefined
let work = new AbortController()
let hasBegun = false

/** Do something with a model: what was being done stops, and what fails is said. */
async function attempt(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  work.abort()
  const own = new AbortController()
  work = own
  hasBegun = true
  hideProblem('model-problem')
  try {
    await run(own.signal)
  } catch (error) {
    if (work !== own) return
    if (!own.signal.aborted) showProblem('model-problem', error)
    await choose()
  }
}

async function choose(): Promise<void> {
  await showKept(continueKept)
  announce('')
  showState('choice', inputOf('address'))
}

function continueKept(release: KeptRelease): Promise<void> {
  return attempt((signal) => openKept(release, signal))
}

function find(text: string): Promise<void> {
  return attempt(async (signal) => {
    const address = releaseAddress(text, hub)
    showBegin(`Looking at ${address.name}`)
    await offer(await findOnNetwork(address, signal).catch((error) => keptOf(address, error)))
  })
}

/** Without a network, what is kept of a release can still be loaded. @throws the error when nothing is */
async function keptOf({ name, base }: ReleaseAddress, error: unknown): Promise<FoundRelease> {
  const own = keptReleases().filter((release) => release.base === base)
  const whole = await Promise.all(
    own.map(async ({ variant }) => ((await keptFolder(variant.files)) ? [variant] : [])),
  )
  const variants = whole.flat()
  if (variants.length === 0) throw error
  return { name, variants, from: { base }, isDescribed: true }
}

function openFolder(files: readonly FolderFile[]): Promise<void> {
  return attempt(async () => {
    showBegin('Looking at the folder')
    await offer(await findInFolder(files))
  })
}

async function offer(release: FoundRelease): Promise<void> {
  found = release
  const variants = await Promise.all(
    release.variants.map(async (variant) => ({ ...variant, missing: await missingBytes(release, variant) })),
  )
  const wanted = new URLSearchParams(location.search).get('variant')
  showFound({ release, variants, devices: await devices, wanted })
}

async function missingBytes({ from }: FoundRelease, variant: WantedVariant): Promise<number> {
  if ('files' in from) return 0
  return variant.bytes - (await presentBytes({ variant }).catch(() => 0))
}

function start(): Promise<void> {
  return attempt(async (signal) => {
    const variant = found?.variants.find(({ name }) => name === chosen('variant'))
    if (found === undefined || variant === undefined) return
    const { name, from } = found
    if ('base' in from) return loadKept({ name, base: from.base, variant }, signal)
    if (found.isDescribed) await checkFolder(found, variant, from.files, signal)
    const wanted = new Set(variant.files.map(({ path }) => path))
    const files = found.isDescribed ? [...from.files].filter(([path]) => wanted.has(path)) : from.files
    await load({ name, variant: variant.name, isChecked: found.isDescribed }, new Map(files), signal)
  })
}

async function openPicked(): Promise<void> {
  try {
    const files = await pickFolder()
    if (files) await openFolder(files)
  } catch (error) {
    showProblem('model-problem', error)
  }
}

/** @throws SpeechError for a file that is missing, of another size or with another content */
async function checkFolder(
  { name }: FoundRelease,
  variant: WantedVariant,
  files: ReadonlyMap<string, File>,
  signal: AbortSignal,
): Promise<void> {
  showBegin(`Checking ${name} · ${variant.name}`)
  const present = presentIn(files, variant)
  await fetchFiles({ type: 'check', files: present }, { signal, onProgress: makeProgress() })
}

function presentIn(files: ReadonlyMap<string, File>, variant: WantedVariant) {
  return variant.files.map((file) => {
    const blob = files.get(file.path)
    if (blob?.size === file.size) return { file, blob }
    const size = blob === undefined ? 'is missing' : `has ${blob.size} bytes`
    throw new SpeechError(
      `${file.path} ${size}, wanted ${file.size} by manifest.json.`,
      'Get the file again.',
    )
  })
}

async function loadKept(release: KeptRelease, signal: AbortSignal): Promise<void> {
  const { name, base, variant } = release
  const { files } = variant
  if ((await keptFolder(files)) === undefined) {
    await requireRoom(release)
    noteRelease(release)
    await navigator.storage.persist().catch(() => false) // the list of what is kept says when it may be deleted
    showBegin(`Downloading ${name} · ${variant.name}`)
    await fetchFiles({ type: 'fetch', base, files }, { signal, onProgress: makeProgress() })
  }
  noteRelease(release)
  const folder = await keptFolder(files)
  if (folder === undefined)
    throw new SpeechError('The browser has not kept the files.', 'Download them again.')
  await load({ name, variant: variant.name, isChecked: true }, folder, signal)
}

async function openKept(release: KeptRelease, signal: AbortSignal): Promise<void> {
  const { name, base, variant } = release
  found = { name, variants: [variant], from: { base }, isDescribed: true }
  if (await keptFolder(variant.files)) return offer(found)
  return loadKept(release, signal)
}

interface Loaded {
  readonly name: string
  readonly variant: string
  readonly isChecked: boolean
}

async function load(
  what: Loaded,
  files: ReadonlyMap<string, Blob>,
  signal: AbortSignal,
  { provider = chosen('device'), keepsText = false } = {},
): Promise<void> {
  const { name, variant, isChecked } = what
  const all = await devices
  const device = all.find((one) => one.provider === provider) ?? all[0]
  if (device === undefined) return
  showBegin(`Loading ${name} · ${variant}`)
  leaveSpeech(keepsText)
  loaded = { what, files }
  try {
    engine = await loadEngine({ name, variant, device }, files, signal)
  } catch (error) {
    if (signal.aborted || found === undefined) throw error
    await offer(found) // another variant or device may do
    return showProblem('model-problem', error)
  }
  showLoaded(engine, isChecked)
  void showMachine(devices)
}

async function onSound(sound: Sound): Promise<void> {
  if (engine === undefined)
    return showProblem(
      'model-problem',
      new SpeechError('There is no model yet.', 'Load one, then choose the recording.'),
    )
  await transcribe(engine, sound)
}

async function onDrop(event: DragEvent): Promise<void> {
  event.preventDefault()
  document.body.removeAttribute('data-drag')
  if (!event.dataTransfer) return
  const { folder, files } = await droppedFiles(event.dataTransfer)
  if (folder.length > 0) return openFolder(folder)
  const [file] = files
  if (file) await onSound({ name: file.name, file })
}

/** The device was lost: what was loaded on it is loaded again and transcribes the recording again. */
function hearAgain(sound: Sound, provider: Device['provider']): Promise<void> {
  return attempt(async (signal) => {
    if (loaded === undefined) return
    await load(loaded.what, loaded.files, signal, { provider, keepsText: true })
    if (engine) void transcribe(engine, sound)
  })
}

/** What is transcribed or recorded with a model ends with it. */
function leaveSpeech(keepsText = false): void {
  stopTranscription()
  void leaveRecording()
  engine = undefined
  if (!keepsText) divOf('result').hidden = true
  hideProblem('speech-problem')
}

async function change(): Promise<void> {
  leaveSpeech()
  await unloadEngine()
  await choose()
}

function listen(): void {
  divOf('address-form').addEventListener('submit', (event) => {
    event.preventDefault()
    void find(inputOf('address').value)
  })
  buttonOf('open-folder').addEventListener('click', () => {
    if (canPickFolder) void openPicked()
    else inputOf('folder').click()
  })
  inputOf('folder').addEventListener('change', () => {
    const files = pickedFiles(inputOf('folder'))
    inputOf('folder').value = ''
    if (files.length > 0) void openFolder(files)
  })
  buttonOf('start').addEventListener('click', () => void start())
  buttonOf('back').addEventListener('click', () => void choose())
  buttonOf('cancel').addEventListener('click', () => work.abort())
  buttonOf('change').addEventListener('click', () => void change())
  addEventListener('dragover', (event) => {
    event.preventDefault()
    document.body.setAttribute('data-drag', '')
  })
  addEventListener('dragleave', () => document.body.removeAttribute('data-drag'))
  addEventListener('drop', (event) => void onDrop(event))
}

listen()
prepareSpeech(onSound)
prepareTranscription(hearAgain)
void showMachine(devices)
void keepOffline(showOffline, () => hasBegun)
await showKept(continueKept)
const asked = new URLSearchParams(location.search).get('release') ?? metaOf('release')
inputOf('address').value = asked
if (asked !== '' && !mayReload()) await find(asked)
