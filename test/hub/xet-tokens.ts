// SPDX-License-Identifier: Apache-2.0

import { createHmac } from 'node:crypto'
import type { RepoCall } from './hub-routes.ts'
import { failure, json, type Reply, unknownRevision } from './reply.ts'
import type { HubState } from './state.ts'

export type Scope = 'read' | 'write'

interface XetToken {
  readonly accessToken: string
  readonly casUrl: string
  /** seconds */
  readonly exp: number
}

/** GET /api/models/{id}/xet-(read|write)-token/{rev}. */
export function sendXetToken({ state, repository, args, url }: RepoCall): Reply {
  const [scope = '', revision = ''] = args
  if (!state.isXet) return failure(404, 'there is no xet here')
  // who will make a pull request does not know its revision yet
  const isProposal = url.searchParams.has('create_pr')
  if (!isProposal && !repository.resolve(revision)) return unknownRevision(revision)
  const token = issueToken(state, scope === 'write' ? 'write' : 'read')
  return json(token, headersOf(token))
}

/** What a batch tells a client that offered xet. */
export function xetAction(state: HubState, id: string): object {
  const token = issueToken(state, 'write')
  return {
    href: `${state.urls.hub}/api/models/${id}/xet-write-token/main`,
    header: { ...headersOf(token), 'X-Xet-Session-Id': createHmac('sha1', id).digest('hex') },
  }
}

/** Who may write may also read. */
export function isTokenValid(state: HubState, authorization: string | undefined, scope: Scope): boolean {
  const [, token, granted, exp] = /^Bearer ((read|write)\.(\d+)\.\w+)$/.exec(authorization ?? '') ?? []
  if (token === undefined || Number(exp) * 1000 <= Date.now()) return false
  return token === sign(state, `${granted}.${exp}`) && (granted === 'write' || scope === 'read')
}

function issueToken(state: HubState, scope: Scope): XetToken {
  const exp = Math.floor((Date.now() + state.xetTokenLifetimeMs) / 1000)
  return { accessToken: sign(state, `${scope}.${exp}`), casUrl: state.urls.cas, exp }
}

function sign(state: HubState, text: string): string {
  return `${text}.${createHmac('sha256', state.token).update(text).digest('hex')}`
}

function headersOf({ accessToken, casUrl, exp }: XetToken): Record<string, string> {
  return {
    'X-Xet-Cas-Url': casUrl,
    'X-Xet-Access-Token': accessToken,
    'X-Xet-Token-Expiration': String(exp),
  }
}
