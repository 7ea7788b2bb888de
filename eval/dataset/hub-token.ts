/** What the client library gets in place of a token that it would refuse: it takes those of huggingface.co alone. */
const STAND_IN = 'hf_of_another_hub'

/** A token for the client library. {@link authorized} puts the real one into its requests. */
export function libraryToken(token: string): string {
  return token.startsWith('hf_') ? token : STAND_IN
}

/** Headers of a request in which the token goes to the hub's own origin, and nowhere else: a library follows links wherever they lead. */
export function authorized(
  url: string | URL,
  given: RequestInit['headers'],
  { origin, token }: { readonly origin?: string; readonly token?: string },
): Headers {
  const headers = new Headers(given)
  const found = headers.get('authorization')
  const isOurs = found === `Bearer ${token}` || found === `Bearer ${STAND_IN}`
  if (origin !== undefined && new URL(url).origin !== origin) {
    if (isOurs) headers.delete('authorization') // tokens of the storage's own stay
  } else if (token && (found === null || isOurs)) headers.set('authorization', `Bearer ${token}`)
  return headers
}
