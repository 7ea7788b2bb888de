// SPDX-License-Identifier: Apache-2.0

import { createHmac, randomBytes } from 'node:crypto'

/** Addresses that carry their own permission, for one method and for a while. */
export class Signer {
  readonly #lifetimeMs: number
  readonly #key = randomBytes(32)
  #generation = 0

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs
  }

  /** @param base an absolute address, which may have a query that is signed with it */
  sign(method: string, base: string): string {
    const url = new URL(base)
    url.searchParams.set('X-Amz-Date', String(Date.now()))
    url.searchParams.set('X-Amz-Expires', String(this.#lifetimeMs))
    url.searchParams.set('X-Amz-Generation', String(this.#generation))
    url.searchParams.set('X-Amz-Signature', this.#signature(method, url))
    return url.href
  }

  check(method: string, signed: URL): 'valid' | 'expired' | 'forged' {
    const url = new URL(signed)
    const given = url.searchParams.get('X-Amz-Signature')
    url.searchParams.delete('X-Amz-Signature')
    if (given !== this.#signature(method, url)) return 'forged'
    const numberOf = (name: string) => Number(url.searchParams.get(name))
    const isOver = numberOf('X-Amz-Date') + numberOf('X-Amz-Expires') <= Date.now()
    return isOver || numberOf('X-Amz-Generation') < this.#generation ? 'expired' : 'valid'
  }

  /** All addresses given out so far stop working. */
  expire(): void {
    this.#generation++
  }

  #signature(method: string, url: URL): string {
    const text = `${method} ${url.host} ${url.pathname} ${url.searchParams}`
    return createHmac('sha256', this.#key).update(text).digest('hex')
  }
}
