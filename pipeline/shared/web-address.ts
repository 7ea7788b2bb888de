// SPDX-License-Identifier: Apache-2.0

/** Hosts that mean another machine elsewhere, or none (RFC 6761, RFC 6762, RFC 8375), and what companies call their own networks. */
const PRIVATE_HOST =
  /(^|\.)(local|localhost|localdomain|internal|intranet|private|corp|home|lan|home\.arpa|invalid|test)$|^[\d.]+$|^\[/
/** The user of all who push by SSH to a forge. Another one is a person's account on a machine of his own. */
const FORGE_USER = 'git'
/** `git@host:owner/name.git`; a path that begins with `/` or `~` is a folder there. */
const SCP = /^(?<user>[\w.-]+)@(?<host>[\w.-]+):(?<path>[^/~].*)$/
/** Forges take SSH through firewalls at names such as `ssh.github.com`. */
const SSH_PREFIX = /^(alt)?ssh\./

/**
 * Where people find a repository that has this remote address in git: https, without user, password, port of SSH, query and `.git`.
 * @returns undefined for folders, machines and networks of a private network, and all else that is not a public address
 */
export function webAddress(remote: string): string | undefined {
  const scp = SCP.exec(remote)?.groups
  const url = parsed(scp ? `ssh://${scp['user']}@${scp['host']}/${scp['path']}` : remote)
  if (!url) return undefined
  const isSsh = url.protocol === 'ssh:'
  if (!isSsh && !['https:', 'http:', 'git:'].includes(url.protocol)) return undefined
  if (isSsh && url.username !== FORGE_USER) return undefined
  const host = url.hostname.toLowerCase().replace(isSsh ? SSH_PREFIX : '', '')
  const path = url.pathname.replace(/\/+$/, '').replace(/\.git$/, '')
  if (!host.includes('.') || PRIVATE_HOST.test(host) || !/^(\/[\w.-]+){2,}$/.test(path)) return undefined
  const port = url.protocol === 'https:' && url.port ? `:${url.port}` : ''
  return `https://${host}${port}${path}`
}

function parsed(address: string): URL | undefined {
  return URL.canParse(address) ? new URL(address) : undefined
}
