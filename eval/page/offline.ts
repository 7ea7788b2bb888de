/** How far the page is kept in this browser. */
export type OfflineState = 'kept' | 'keeping' | 'impossible'

const RELOADED = 'reloaded'

/**
 * Let the service worker keep the page's files. Where the host sends no headers of isolation, the page loads again, once, with
 * those of the service worker; then threads can share memory.
 */
export async function keepOffline(onState: (state: OfflineState, why?: string) => void): Promise<void> {
  if (!navigator.serviceWorker) return onState('impossible', 'This browser keeps no pages here.')
  onState('keeping')
  try {
    await navigator.serviceWorker.register(new URL('service-worker.js', import.meta.url))
    await navigator.serviceWorker.ready
    await controlled()
    onState('kept')
    reloadOnce()
  } catch (error) {
    onState('impossible', `The browser refused to keep the page (${(error as Error).message}).`)
  }
}

/** Whether the page is about to load again, so that nothing should begin. */
export function mayReload(): boolean {
  return (
    !crossOriginIsolated && navigator.serviceWorker !== undefined && sessionStorage.getItem(RELOADED) === null
  )
}

function reloadOnce(): void {
  if (!mayReload()) return
  sessionStorage.setItem(RELOADED, 'yes')
  location.reload()
}

function controlled(): Promise<void> {
  return new Promise((resolve) => {
    if (navigator.serviceWorker.controller) resolve()
    else navigator.serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true })
  })
}
