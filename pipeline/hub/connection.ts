import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type RetryOptions, retryingFetch } from '../../eval/dataset/retrying-fetch.ts'
import { EXIT, Failure } from '../failure.ts'
import { keepSecret } from '../redact.ts'

const DEFAULT_HUB = 'https://huggingface.co'

/** Where the hub is and who we are. */
export interface Connection {
  /** HF_ENDPOINT, without a slash at its end */
  readonly url: string
  readonly token?: string
}

/**
 * The hub of the environment. The client library reads no environment, and asks for everything with each call.
 * @param env HF_ENDPOINT; HF_TOKEN, else the file that `hf auth login` writes (HF_TOKEN_PATH, HF_HOME)
 * @throws Failure for an address or a token that cannot be one; the token is not shown
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export async function connectHub(env: NodeJS.ProcessEnv = process.env): Promise<Connection> {
  const url = (env['HF_ENDPOINT'] || DEFAULT_HUB).replace(/\/+$/, '')
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new Failure(`HF_ENDPOINT is ${JSON.stringify(url)}, wanted an http address.`, '', EXIT.usage)
  const token = env['HF_TOKEN']?.trim() || (await savedToken(env))
  if (token) keepSecret(token)
  if (token && !token.startsWith('hf_'))
    throw new Failure(
      'The token of the hub does not begin with hf_.',
      'Set HF_TOKEN to an access token.',
      EXIT.usage,
    )
  return { url, ...(token && { token }) }
}

/** What every call of the client library wants. */
export function hubParams({ url, token }: Connection, options: RetryOptions = {}) {
  return {
    hubUrl: url,
    fetch: retryingFetch({ ...options, origin: new URL(url).origin }),
    ...(token && { accessToken: token }),
  }
}

async function savedToken(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const home = env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface')
  const text = await readFile(env['HF_TOKEN_PATH'] || join(home, 'token'), 'utf8').catch(() => '')
  return text.trim() || undefined
}
