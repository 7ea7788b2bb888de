// SPDX-License-Identifier: Apache-2.0

/** How far the page is kept in this browser. */
export type OfflineState = 'kept' | 'keeping' | 'newer' | 'impossible'

const RELOADED = 'reloaded'

/**
 * Let the service worker keep the page's files. Where the host sends no headers of isolation, the page loads again, once, with
 * those of the service worker; then threads can share memory.
 * @param isBusy the page has begun something that loading it again would end
 */
export async function keepOffline(
  onState: (state: OfflineState, why?: string) => void,
  isBusy: () => boolean,
): Promise<void> {
  if (!navigator.serviceWorker) return onState('impossible', 'This browser keeps no pages here.')
  onState('keeping')
  try {
    const registration = await navigator.serviceWorker.register(new URL('service-worker.js', import.meta.url))
    const { active } = await navigator.serviceWorker.ready
    await controlled()
    if (mayReload() && !isBusy()) {
      sessionStorage.setItem(RELOADED, 'yes')
      location.reload()
    }
    await keepAll(active)
    onState(registration.waiting ? 'newer' : 'kept')
    registration.addEventListener('updatefound', () => sayWhenStored(registration, onState))
    sayWhenStored(registration, onState)
  } catch (error) {
    onState('impossible', `(${(error as Error).message})`)
  }
}

/** A newer version of the page is looked for while it opens, and is there some time later. */
function sayWhenStored(
  { installing }: ServiceWorkerRegistration,
  onState: (state: OfflineState) => void,
): void {
  installing?.addEventListener('statechange', () => {
    if (installing.state === 'installed') onState('newer')
  })
}

/** Whether the page may be about to load again, so that nothing should begin by itself. */
export function mayReload(): boolean {
  return !crossOriginIsolated && navigator.serviceWorker !== undefined && !sessionStorage.getItem(RELOADED)
}

function controlled(): Promise<void> {
  return new Promise((resolve) => {
    if (navigator.serviceWorker.controller) resolve()
    else navigator.serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true })
  })
}

/** @throws Error saying what cannot be kept */
function keepAll(worker: ServiceWorker | null): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.serviceWorker.addEventListener('message', ({ data }) =>
      data.kept ? resolve() : reject(new Error(data.problem)),
    )
    navigator.serviceWorker.startMessages()
    worker?.postMessage('keep')
  })
}
