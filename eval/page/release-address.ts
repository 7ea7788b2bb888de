// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'

/** Where a release is on the network. */
export interface ReleaseAddress {
  /** as people name it: owner/name@revision, or the address */
  readonly name: string
  /** of the folder that holds its files, with a slash at its end */
  readonly base: string
}

const HUB_ID = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/
const LOOPBACK = /^(localhost|127(?:\.\d+){3}|\[::1\])$/

/**
 * The address of a release that somebody typed.
 * @param text `owner/name[@revision]` of the hub, or the address of a folder, of a file in it or of a page of the hub
 * @param hub address of the hub, without a slash at its end
 * @throws SpeechError for what is none, and for http to another machine
 */
export function releaseAddress(text: string, hub: string): ReleaseAddress {
  const wanted = text.trim()
  const [, repo, revision = 'main'] = HUB_ID.exec(wanted) ?? []
  if (repo !== undefined) return onHub(repo, revision, hub)
  const url = checkedUrl(wanted)
  const page = url.href.startsWith(`${hub}/`) ? hubPage(url.href.slice(hub.length + 1)) : undefined
  if (page !== undefined) return onHub(page.repo, page.revision, hub)
  const base = new URL('.', url.pathname.endsWith('.json') ? url : `${url.origin}${slashed(url.pathname)}`)
  return { name: base.href, base: base.href }
}

/**
 * Refuse addresses that send what they fetch in the clear through a network.
 * @throws SpeechError for any but https, and http to this machine
 */
export function checkedUrl(text: string): URL {
  const hint = 'Give owner/name of a repository, or the https address of a folder that holds manifest.json.'
  if (!URL.canParse(text))
    throw new SpeechError(`${JSON.stringify(text)} is not an address of a release.`, hint)
  const url = new URL(text)
  if (url.username !== '' || url.password !== '')
    throw new SpeechError('The address holds a user name or password.', 'Leave them out.')
  const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
  if (isSafe) return url
  throw new SpeechError(`${text} begins with ${url.protocol}, wanted https: or http: of this machine.`, hint)
}

/** As the hub's own client names files. */
function onHub(repo: string, revision: string, hub: string): ReleaseAddress {
  return {
    name: revision === 'main' ? repo : `${repo}@${revision}`,
    base: `${hub}/${repo}/resolve/${encodeURIComponent(revision)}/`,
  }
}

/** `owner/name`, `owner/name/tree/REVISION` or `.../blob/REVISION/FILE` of the hub's pages. */
function hubPage(path: string): { repo: string; revision: string } | undefined {
  const [, repo, revision = 'main'] =
    /^([\w.-]+\/[\w.-]+)(?:\/(?:tree|blob|resolve)\/([^/?#]+)[^?#]*)?\/?(?:[?#].*)?$/.exec(path) ?? []
  return repo === undefined ? undefined : { repo, revision: decodeURIComponent(revision) }
}

function slashed(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}
