import { createHash, randomBytes } from 'node:crypto'

/** Addresses of the storage that carry their permission, for a while. */
export class Signer {
  readonly #lifetimeMs: number
  #secret = randomBytes(16).toString('hex')
  base = ''

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs
  }

  sign(path: string, more: Readonly<Record<string, string>> = {}): string {
    const query = new URLSearchParams({ ...more, expires: String(Date.now() + this.#lifetimeMs) })
    query.set('X-Amz-Signature', this.#signature(path, query))
    return `${this.base}${path}?${query}`
  }

  isValid(url: URL): boolean {
    const query = new URLSearchParams(url.searchParams)
    const given = query.get('X-Amz-Signature')
    query.delete('X-Amz-Signature')
    return given === this.#signature(url.pathname, query) && Number(query.get('expires')) > Date.now()
  }

  /** All addresses given out so far stop working. */
  expire(): void {
    this.#secret = randomBytes(16).toString('hex')
  }

  #signature(path: string, query: URLSearchParams): string {
    return createHash('sha256').update(`${this.#secret} ${path} ${query}`).digest('hex')
  }
}
