// SPDX-License-Identifier: Apache-2.0

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
  addEventListener(name: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void
  addEventListener(name: 'fetch', listener: (event: FetchEvent) => void): void
  addEventListener(name: 'message', listener: (event: ExtendableEvent & MessageEvent) => void): void
}

const scope = self as unknown as Scope
const PREFIX = 'page-'
const NAME = `${PREFIX}${scope.PAGE.version}`
const INDEX = 'index.html'

const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
}

/** The script that fetches releases; all other workers reach only the page's own files. */
const FETCHING = 'fetch.js'
const CODE = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"
const OWN = `${CODE}; connect-src 'self'`
const ANY = `${CODE}; connect-src 'self' https: http://localhost:* http://127.0.0.1:*`

scope.addEventListener('install', (event) => event.waitUntil(keep((path) => !isLarge(path))))
scope.addEventListener('activate', (event) => event.waitUntil(activate()))
scope.addEventListener('message', (event) => event.waitUntil(keepRest(event)))
scope.addEventListener('fetch', (event) => {
  const path = pathOf(event.request)
  if (path !== undefined) event.respondWith(answer(path, event.request))
})

/** The runtime's code has tens of megabytes: it is kept when the page is open already, and has its headers. */
function isLarge(path: string): boolean {
  return path.endsWith('.wasm')
}

async function keepRest({ source }: MessageEvent): Promise<void> {
  const problem = await keep(isLarge).then(
    () => '',
    (error: Error) => error.message,
  )
  ;(source as MessageEventSource | null)?.postMessage({ kept: problem === '', problem })
}

/** Keep files that are as they were when the page was built: a host may serve two versions mixed for a while. */
async function keep(isWanted: (path: string) => boolean): Promise<void> {
  const cache = await caches.open(NAME)
  for (const { path, sha256 } of scope.PAGE.files) {
    if (!isWanted(path) || (await cache.match(urlOf(path)))) continue
    const response = await fetch(urlOf(path), { cache: 'no-cache' })
    if (!response.ok) throw new Error(`${path} cannot be fetched: the server answered ${response.status}.`)
    const found = await sha256Of(await response.clone().arrayBuffer())
    if (found !== sha256) throw new Error(`${path} is of another version of this page.`)
    await cache.put(urlOf(path), response)
  }
}

async function sha256Of(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
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
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value)
  if (path.endsWith('js')) headers.set('content-security-policy', path === FETCHING ? ANY : OWN)
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
