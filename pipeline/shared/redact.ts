// SPDX-License-Identifier: Apache-2.0

/* Secrets, kept out of what is printed and written. */

/** Secrets that were read from files, which the environment does not show. */
const known = new Set<string>()
/** Shorter ones are part of ordinary words; where they stand in an address they are taken out anyway. */
const SHORTEST = 6
const TOKENS = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']
const ADDRESSES = [
  'HF_ENDPOINT',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
]

/** From now on no text that {@link redact} has seen holds it. */
export function keepSecret(secret: string): void {
  known.add(secret)
}

/**
 * Take out of a text what must not be seen: tokens and passwords of the environment wherever they are, and user names
 * and passwords of addresses. Addresses are cut at the question mark, after which presigned ones have their
 * signature.
 */
export function redact(text: string): string {
  return withoutSecrets(text).replace(/(\bhttps?:\/\/[^\s?"'<>]+)\?[^\s"'<>]+/gi, '$1')
}

/** As {@link redact}, for data: addresses keep what stands behind their question mark. */
export function withoutSecrets(text: string): string {
  const clean = text
    .replace(/\b([a-z][a-z\d+.-]*:\/\/)[^\s/?#"'<>]*@/gi, '$1...@')
    .replace(/\bhf_[A-Za-z\d]{30,}/g, 'hf_...')
    .replace(/\b(authorization\W{1,4}(?:basic|bearer)|Bearer) [^\s"',]+/gi, '$1 ...')
  return secrets().reduce(
    (rest, secret) => rest.replaceAll(secret, secret.startsWith('hf_') ? 'hf_...' : '...'),
    clean,
  )
}

/** Every text in a value, a name of a field left as it is. */
export function mapTexts<T>(value: T, change: (text: string) => string): T {
  const changed = (part: unknown): unknown => {
    if (typeof part === 'string') return change(part)
    if (Array.isArray(part)) return part.map(changed)
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([name, field]) => [name, changed(field)]))
  }
  return changed(value) as T
}

/** The longest first, since one may be part of another. */
function secrets(): string[] {
  const tokens = TOKENS.map((name) => process.env[name]?.trim() ?? '')
  const spellings = [
    ...known,
    ...tokens,
    ...ADDRESSES.flatMap((name) => userInfo(process.env[name] ?? '')),
  ].flatMap((secret) => [secret, decoded(secret), encodeURIComponent(secret)])
  const found = new Set(spellings.filter((secret) => secret.length >= SHORTEST))
  return [...found].sort((a, b) => b.length - a.length)
}

/** User name with password, also as HTTP's Basic sends it, and the password alone; `@` and `/` may stand in them. */
function userInfo(address: string): string[] {
  const [, both] = /^(?:[a-z][a-z\d+.-]*:\/\/)?([^\s]*)@/i.exec(address) ?? []
  if (both === undefined || !both.includes(':')) return []
  return [both, Buffer.from(decoded(both)).toString('base64'), both.slice(both.indexOf(':') + 1)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
