/*
 * Keeps the page's own files, so that it opens without a network, and gives them the headers of cross-origin isolation, which
 * hosts of static files cannot set. It answers for these files alone: everything else goes to the network as if it were not here.
 */

interface PageFile {
  readonly path: string
  readonly sha256: string
}

/** What is global in a service worker; the DOM's types lack it (w3.org/TR/service-workers). */
interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}
interface Scope {
  /** put in front of this script when the page is built */
  readonly PAGE: { readonly version: string; readonly files: readonly PageFile[] }
  readonly registration: { readonly scope: string }
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
  addEventListener(name: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void
  addEventListener(name: 'fetch', listener: (event: FetchEvent) => void): void
}

const scope = self as unknown as Scope
const PREFIX = 'page-'
const NAME = `${PREFIX}${scope.PAGE.version}`
const INDEX = 'index.html'

/** The page may run code of itself alone, and load from where a release may be. */
const HEADERS = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
}

scope.addEventListener('install', (event) => event.waitUntil(install()))
scope.addEventListener('activate', (event) => event.waitUntil(activate()))
scope.addEventListener('fetch', (event) => {
  const path = pathOf(event.request)
  if (path !== undefined) event.respondWith(answer(path, event.request))
})

/** A mixture of two versions, which a host may serve for a while, is refused: the version before goes on. */
async function install(): Promise<void> {
  const cache = await caches.open(NAME)
  for (const { path, sha256 } of scope.PAGE.files) {
    const response = await fetch(urlOf(path), { cache: 'no-cache' })
    const bytes = await response.clone().arrayBuffer()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
    const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
    if (found !== sha256) throw new Error(`${path} is of another version (${response.status}).`)
    await cache.put(urlOf(path), response)
  }
}

async function activate(): Promise<void> {
  for (const name of await caches.keys())
    if (name.startsWith(PREFIX) && name !== NAME) await caches.delete(name)
  await scope.clients.claim()
}

async function answer(path: string, request: Request): Promise<Response> {
  const kept = await (await caches.open(NAME)).match(urlOf(path))
  const response = kept ?? (await fetch(request))
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value)
  return new Response(response.body, { status: response.status, headers })
}

/** Of the page's own files; undefined for any other request. */
function pathOf({ url, method }: Request): string | undefined {
  const { scope: base } = scope.registration
  const [address = ''] = url.split(/[?#]/)
  if (method !== 'GET' || !address.startsWith(base)) return undefined
  const path = address.slice(base.length) || INDEX
  return scope.PAGE.files.some((file) => file.path === path) ? path : undefined
}

function urlOf(path: string): string {
  return `${scope.registration.scope}${path}`
}
