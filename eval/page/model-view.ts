// SPDX-License-Identifier: Apache-2.0

import { announce, buttonOf, byId, divOf, element, inputOf } from './dom.ts'
import type { FetchProgress } from './fetch-job.ts'
import { deleteRelease, type KeptRelease, keptReleases, presentBytes } from './kept-releases.ts'
import type { Engine } from './page-engine.ts'
import { bytesText, secondsText, spanText } from './quantities.ts'
import type { WantedVariant } from './release-manifest.ts'
import type { FoundRelease } from './release-source.ts'
import { type Device, preferredVariant, variantNote } from './variant-choice.ts'

/* What the page shows of models: where to get one, what was found, how far it is, and what is loaded. */

const STATES = ['choice', 'found', 'progress', 'loaded'] as const

/** One at a time. @param focus the element that the keyboard continues from */
export function showState(state: (typeof STATES)[number], focus?: HTMLElement): void {
  for (const name of STATES) divOf(name).hidden = name !== state
  divOf('speech').hidden = state !== 'loaded'
  focus?.focus()
}

/** List the releases that the browser keeps. @param open called with the one that is to be loaded */
export async function showKept(open: (release: KeptRelease) => unknown): Promise<void> {
  const releases = keptReleases()
  const items = await Promise.all(releases.map((release) => keptItem(release, open)))
  divOf('kept-list').replaceChildren(...items)
  divOf('kept-note').hidden = await navigator.storage.persisted().catch(() => false)
  divOf('kept').hidden = items.length === 0
}

async function keptItem(release: KeptRelease, open: (release: KeptRelease) => unknown): Promise<HTMLElement> {
  const { name, variant } = release
  const present = await presentBytes(release).catch(() => 0)
  const isWhole = present >= variant.bytes
  const size = isWhole ? bytesText(variant.bytes) : `${bytesText(present)} of ${bytesText(variant.bytes)}`
  const text = element(
    'span',
    'grow',
    element('bdi', 'name', name),
    ' ',
    element('span', 'note', `${variant.name}, ${size}`),
  )
  const act = element('button', '', isWhole ? 'Open' : 'Continue')
  act.setAttribute('aria-label', `${isWhole ? 'Open' : 'Continue'} ${name}, ${variant.name}`)
  act.addEventListener('click', () => open(release))
  const remove = element('button', '', 'Delete')
  remove.setAttribute('aria-label', `Delete ${name}, ${variant.name}`)
  remove.addEventListener('click', async () => {
    await deleteRelease(release)
    await showKept(open)
    inputOf('address').focus()
  })
  return element('li', 'row', text, act, remove)
}

interface Found {
  readonly release: FoundRelease
  readonly variants: readonly (WantedVariant & { readonly missing: number })[]
  readonly devices: readonly Device[]
  /** the variant that the page's address names */
  readonly wanted: string | null
}

/** Show what a release holds, and what it takes to load each variant. */
export function showFound({ release, variants, devices, wanted }: Found): void {
  divOf('found-name').replaceChildren(element('bdi', '', release.name))
  divOf('found-note').textContent = release.isDescribed
    ? 'Every file is checked against manifest.json before it is used.'
    : 'Not checked: the folder has no manifest.json.'
  const names = variants.map(({ name }) => name)
  const [first] = devices
  const preferred = first && preferredVariant(names, first, wanted)
  divOf('variants').replaceChildren(
    ...variants.map(({ name, bytes }) =>
      option('variant', name, name, release.isDescribed ? bytesText(bytes) : '', name === preferred),
    ),
  )
  divOf('devices').replaceChildren(
    ...devices.map(({ provider, name, about }, i) => option('device', provider, name, about, i === 0)),
  )
  const label = () => {
    const variant = variants.find(({ name }) => name === chosen('variant'))
    const device = devices.find(({ provider }) => provider === chosen('device'))
    divOf('variant-note').textContent = variant && device ? variantNote(variant.name, names, device) : ''
    buttonOf('start').textContent =
      variant && variant.missing > 0 ? `Download ${bytesText(variant.missing)}` : 'Load'
  }
  divOf('variants').onchange = label
  divOf('devices').onchange = label
  label()
  announce(`Found ${release.name}: choose a variant.`)
  showState('found', buttonOf('start'))
}

/** The value of the chosen option of a group. */
export function chosen(group: string): string {
  return document.querySelector<HTMLInputElement>(`input[name="${group}"]:checked`)?.value ?? ''
}

function option(group: string, value: string, name: string, about: string, isChosen: boolean): HTMLElement {
  const input = element('input')
  Object.assign(input, { type: 'radio', name: group, value, checked: isChosen })
  return element('label', 'option', input, element('span', '', name), element('span', 'note', about))
}

/** Show what is being done, before it can be said how far it is. */
export function showBegin(title: string): void {
  divOf('progress-title').textContent = title
  announce(`${title}.`)
  byId('bar', HTMLProgressElement).removeAttribute('value')
  divOf('progress-text').textContent = ''
  showState('progress', buttonOf('cancel'))
}

/** Bytes, speed and time left, over the last seconds. */
export function makeProgress(): (progress: FetchProgress) => void {
  const seen: { readonly at: number; readonly fetched: number; readonly done: number }[] = []
  const bar = byId('bar', HTMLProgressElement)
  return ({ done, total, fetched, note }) => {
    const now = performance.now()
    seen.push({ at: now, fetched, done })
    while (seen.length > 2 && now - (seen[0]?.at ?? now) > 5000) seen.shift()
    const [first = { at: now, fetched, done }] = seen
    const seconds = (now - first.at) / 1000
    const speed = seconds > 0.5 ? (done - first.done) / seconds : 0
    const rate = speed > 0 ? ` · ${bytesText(speed)}/s · ${spanText((total - done) / speed)} left` : ''
    bar.value = total > 0 ? done / total : 1
    divOf('progress-text').textContent =
      `${bytesText(done)} of ${bytesText(total)}${note === '' ? rate : ` · ${note}`}`
  }
}

/**
 * Show which model is loaded, and on which device.
 * @param isChecked whether its files were compared with the manifest's hashes
 */
export function showLoaded({ name, variant, device, loading }: Engine, isChecked: boolean): void {
  divOf('loaded-name').replaceChildren(element('bdi', '', name), ` · ${variant}`)
  const checked = isChecked ? 'checked' : 'not checked'
  divOf('loaded-note').textContent =
    `${device.name}, ${device.about} · ${checked} · loaded in ${secondsText(loading)}`
  announce(`${name} is loaded.`)
  showState('loaded', buttonOf('record'))
}
