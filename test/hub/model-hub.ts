// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerCas } from './cas-routes.ts'
import type { Fault } from './faults.ts'
import { answerHub } from './hub-routes.ts'
import { Multiparts } from './multipart.ts'
import { ObjectStore } from './object-store.ts'
import type { Repository } from './repository.ts'
import { type HubCommit, type HubFile, repositoryViews } from './repository-views.ts'
import { listen } from './server.ts'
import { Signer } from './signer.ts'
import type { HubRequest, HubState } from './state.ts'
import { answerStorage } from './storage-routes.ts'
import { XetStore } from './xet-store.ts'

export interface ModelHubOptions {
  /** wanted for all that writes, and for private repositories */
  readonly token?: string
  readonly user?: string
  /** larger objects are uploaded in parts of this size */
  readonly partSize?: number
  /** entries of a tree on a page */
  readonly pageSize?: number
  /** where objects are kept, and stay; a temporary folder by default */
  readonly folder?: string
  /** whether clients that offer xet get it */
  readonly xet?: boolean
  readonly xetTokenLifetimeMs?: number
  /** of addresses of the storage */
  readonly urlLifetimeMs?: number
  /** do not close with the test */
  readonly keep?: boolean
}

export type Files = Readonly<Record<string, string | Uint8Array>>

export interface ModelHub {
  /** HF_ENDPOINT */
  readonly url: string
  readonly token: string
  readonly user: string
  /** of all hosts, in the order they came */
  readonly requests: HubRequest[]
  /** for the next requests that match; a fault that has happened is gone */
  readonly faults: Fault[]
  /** with a first commit that has the hub's .gitattributes, and a second one when there are files */
  createRepo(id: string, options?: { readonly private?: boolean; readonly files?: Files }): void
  repo(id: string): Repository | undefined
  head(id: string, revision?: string): string
  tree(id: string, revision?: string): Map<string, HubFile>
  read(id: string, path: string, revision?: string): Promise<Buffer>
  /** newest first */
  commits(id: string, revision?: string): HubCommit[]
  /**
   * Somebody else's commit; null deletes.
   * @returns its oid
   */
  commitElsewhere(
    id: string,
    files: Readonly<Record<string, string | Uint8Array | null>>,
    title?: string,
  ): string
  /** Flip a byte in the middle of an object. */
  corrupt(sha256: string): Promise<void>
  /** All addresses of the storage given out so far stop working. */
  expire(): void
  /** bytes of the bodies of all PUTs that the storage accepted */
  storedBytes(): number
  close(): Promise<void>
}

/**
 * A loopback stand-in of the hub for model repositories, strict where the real one is: the API on one host, storage
 * and CAS on another host name, signed addresses that expire, no chunked uploads, hashes of the real bytes, atomic
 * commits that know their parent, trees in pages. Within a test it closes with the test.
 */
export async function startModelHub(options: ModelHubOptions = {}): Promise<ModelHub> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'model-hub-'))
  const state: { current?: HubState } = {}
  const stateOf = () => {
    if (!state.current) throw new Error('the hub is not up yet')
    return state.current
  }
  const hub = await listen('hub', '127.0.0.1', answerHub, stateOf)
  const storage = await listen('storage', 'localhost', answerStorage, stateOf)
  const cas = await listen('cas', 'localhost', answerCas, stateOf)
  const urls = {
    hub: `http://127.0.0.1:${hub.port}`,
    storage: `http://localhost:${storage.port}`,
    cas: `http://localhost:${cas.port}`,
  }
  state.current = newState(options, folder, urls)
  const close = async () => {
    await Promise.all([hub.close(), storage.close(), cas.close()])
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  if (!options.keep) await closeWithTest(close)
  return hubOf(state.current, close)
}

function newState(options: ModelHubOptions, folder: string, urls: HubState['urls']): HubState {
  const objects = new ObjectStore(folder)
  return {
    ...{ token: options.token ?? 'hf_standin_token', user: options.user ?? 'tester' },
    ...{ partSize: options.partSize ?? 8 << 20, pageSize: options.pageSize ?? 3 },
    ...{ isXet: options.xet ?? false, xetTokenLifetimeMs: options.xetTokenLifetimeMs ?? 3_600_000 },
    ...{ repositories: new Map(), objects, uploads: new Multiparts(objects) },
    ...{ xet: new XetStore(folder, objects), signer: new Signer(options.urlLifetimeMs ?? 3_600_000) },
    ...{ requests: [], faults: [], urls, storedBytes: 0 },
  }
}

function hubOf(state: HubState, close: () => Promise<void>): ModelHub {
  const { token, user, requests, faults, objects, signer, urls } = state
  return {
    ...{ url: urls.hub, token, user, requests, faults, close },
    ...repositoryViews(state),
    corrupt: (sha256) => objects.corrupt(sha256),
    expire: () => signer.expire(),
    storedBytes: () => state.storedBytes,
  }
}

/** Only vitest's own processes can import it; outside of a test, in beforeAll for one, it refuses. */
async function closeWithTest(close: () => Promise<void>): Promise<void> {
  if (process.env['VITEST'] === undefined) return
  const { onTestFinished } = await import('vitest')
  try {
    onTestFinished(close)
  } catch {
    // who started it closes it
  }
}
