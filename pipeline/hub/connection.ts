// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { libraryToken } from '../../eval/dataset/hub-token.ts'
import { withoutQuery } from '../../eval/dataset/network.ts'
import { type RetryOptions, retryingFetch } from '../../eval/dataset/retrying-fetch.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { keepSecret } from '../shared/redact.ts'

/* The hub's address and the user's token. */

const DEFAULT_HUB = 'https://huggingface.co'

/** Where the hub is and who we are. */
export interface Connection {
  /** HF_ENDPOINT, without a slash at its end */
  readonly url: string
  readonly token?: string
}

/**
 * The hub of the environment. The client library reads no environment, and takes everything with each call.
 * @param env HF_ENDPOINT; HF_TOKEN, else the file that `hf auth login` writes (HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME)
 * @throws Failure for an address or a token that cannot be one; neither a token nor a password is shown
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export async function connectHub(env: NodeJS.ProcessEnv = process.env): Promise<Connection> {
  const url = hubAddress(env)
  const token = (env['HF_TOKEN'] || env['HUGGING_FACE_HUB_TOKEN'])?.trim() || (await savedToken(env))
  if (!token) return { url }
  keepSecret(token)
  if (!/^[\x21-\x7e]+$/.test(token)) throw badToken('holds spaces or letters that no token has.')
  if (isHuggingFace(url) && !token.startsWith('hf_')) throw badToken('does not begin with hf_.')
  return { url, token }
}

/**
 * HF_ENDPOINT, without a slash at its end.
 * @throws Failure for what is not an address, or has more in it than a hub's; secrets in it are not shown
 */
export function hubAddress(env: NodeJS.ProcessEnv = process.env): string {
  const text = (env['HF_ENDPOINT'] || DEFAULT_HUB).trim()
  if (text.includes('@')) {
    throw new Failure(
      'HF_ENDPOINT holds a user name or password, which are not sent to a hub.',
      'Leave them out of the address, and give an access token as HF_TOKEN.',
      EXIT.usage,
    )
  }
  const hint = `For example HF_ENDPOINT=${DEFAULT_HUB}`
  if (/[?#]/.test(text))
    throw new Failure('HF_ENDPOINT has more behind its path, wanted an address alone.', hint, EXIT.usage)
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text))
    throw new Failure(`HF_ENDPOINT is ${JSON.stringify(text)}, wanted an http address.`, hint, EXIT.usage)
  return text.replace(/\/+$/, '')
}

/** What every call of the client library takes. */
export function hubParams({ url, token }: Connection, options: RetryOptions = {}) {
  return {
    hubUrl: url,
    fetch: retryingFetch({ ...options, origin: new URL(url).origin, ...(token && { token }) }),
    ...(token && { accessToken: libraryToken(token) }),
  }
}

function isHuggingFace(url: string): boolean {
  return /(?:^|\.)(?:huggingface\.co|hf\.co)$/i.test(new URL(url).hostname)
}

function badToken(what: string): Failure {
  return new Failure(`The token of the hub ${what}`, 'Set HF_TOKEN to an access token.', EXIT.usage)
}

/** @throws Failure when there is a file that cannot be read: without it, what a user may see looks as if it were not there */
async function savedToken(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const home = env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface')
  const path = (env['HF_TOKEN_PATH'] || join(home, 'token')).replace(/^~(?=$|[\\/])/, homedir())
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return ''
    throw new Failure(
      `The hub's token cannot be read from ${path} (${error.code}).`,
      'Set HF_TOKEN, or fix the file.',
    )
  })
  return text.trim() || undefined
}

/** How an answer of the hub is named in messages, and what to do when it is not one. */
export function answerOf(url: string) {
  const hint = 'Something else may answer in place of the hub: check HF_ENDPOINT and the proxies.'
  return { file: `The answer of ${withoutQuery(url)}`, hint }
}
