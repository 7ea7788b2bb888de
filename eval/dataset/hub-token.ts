// SPDX-License-Identifier: Apache-2.0

/** What the client library gets in place of a token that it would refuse: it takes those of huggingface.co alone. */
const STAND_IN = 'hf_of_another_hub'

/** A token for the client library. {@link authorized} puts the real one into its requests. */
export function libraryToken(token: string): string {
  return token.startsWith('hf_') ? token : STAND_IN
}

/**
 * Headers of a request in which a token that the library has set is the real one. It goes to the hub's own origin, and nowhere else: a library
 * follows links wherever they lead. Signed addresses get none, also where the hub itself answers them.
 */
export function authorized(
  url: string | URL,
  given: RequestInit['headers'],
  { origin, token }: { readonly origin?: string; readonly token?: string },
): Headers {
  const headers = new Headers(given)
  const found = headers.get('authorization')
  const isOurs = found === `Bearer ${token}` || found === `Bearer ${STAND_IN}`
  if (!isOurs) return headers // none, or one of the storage's own
  const isHub = origin === undefined || new URL(url).origin === origin
  if (isHub && token) headers.set('authorization', `Bearer ${token}`)
  else headers.delete('authorization')
  return headers
}
