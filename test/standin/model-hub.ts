import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyFault, type Fault, type Seen, takeFault } from './faults.ts'
import { answerHub } from './hub-routes.ts'
import { ObjectStore } from './object-store.ts'
import { blobOid, type Commit, Repository, type Stored } from './repository.ts'
import { Signer } from './signer.ts'
import type { HubRequest, HubState } from './state.ts'
import { answerStorage } from './storage-routes.ts'
import { answerCas } from './xet.ts'

export interface HubOptions {
  readonly token?: string
  /** larger objects are uploaded in parts of this size */
  readonly partSize?: number
  /** entries of a tree on a page */
  readonly pageSize?: number
  readonly urlLifetimeMs?: number
  /** answer with xet where a client offers it */
  readonly xet?: boolean
}

export interface ModelHub extends HubState {
  createRepo(
    id: string,
    files?: Readonly<Record<string, string | Uint8Array>>,
    isPrivate?: boolean,
  ): Promise<void>
  /** path to size, git's oid, and sha256 of what is in large file storage */
  tree(id: string, revision?: string): Map<string, { size: number; oid: string; sha256?: string }>
  read(id: string, path: string, revision?: string): Promise<Buffer>
  head(id: string, branch?: string): string
  commits(id: string, branch?: string): Commit[]
  /** somebody else's commit; null deletes */
  commitElsewhere(id: string, files: Readonly<Record<string, string | Uint8Array | null>>): Promise<string>
  close(): Promise<void>
}

/**
 * A loopback stand-in of the hub for model repositories, strict where the real one is: one host for the API, another
 * host name for the storage, signed addresses that expire, no chunked uploads, real hashes, atomic commits that know
 * their parent, trees in pages. Who starts it closes it.
 */
export async function startModelHub(options: HubOptions = {}): Promise<ModelHub> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-hub-'))
  await mkdir(folder, { recursive: true })
  const state: HubState = {
    ...{ token: options.token ?? 'hf_standintoken', partSize: options.partSize ?? 1 << 20 },
    ...{ pageSize: options.pageSize ?? 3, store: new ObjectStore(folder), hubUrl: '', casUrl: '' },
    signer: new Signer(options.urlLifetimeMs ?? 3_600_000),
    ...{ repositories: new Map(), requests: [], faults: [] },
  }
  const storage = await listen('storage', state, answerStorage)
  state.signer.base = `http://localhost:${storage.port}`
  const hub = await listen('hub', state, answerHub)
  state.hubUrl = `http://127.0.0.1:${hub.port}`
  const cas = await listen('cas', state, answerCas)
  if (options.xet) state.casUrl = `http://localhost:${cas.port}`
  const close = async () => {
    await Promise.all([hub.close(), storage.close(), cas.close()])
    await rm(folder, { recursive: true, force: true })
  }
  return Object.assign(state, { close, ...views(state) })
}

function views(state: HubState) {
  const repositoryOf = (id: string) => {
    const found = state.repositories.get(id)
    if (!found) throw new Error(`no repository ${id}`)
    return found
  }
  const commitOf = (id: string, revision: string) => {
    const found = repositoryOf(id).resolve(revision)
    if (!found) throw new Error(`no revision ${revision}`)
    return found
  }
  const store = async (id: string, path: string, content: string | Uint8Array): Promise<Stored> => {
    const bytes = Buffer.from(content)
    if (!repositoryOf(id).isLfs('main', path, bytes.length)) return { kind: 'regular', bytes }
    return { kind: 'lfs', oid: await state.store.put(bytes), size: bytes.length }
  }
  return {
    async createRepo(
      id: string,
      files: Readonly<Record<string, string | Uint8Array>> = {},
      isPrivate = false,
    ) {
      const repository = new Repository(id, isPrivate)
      state.repositories.set(id, repository)
      const changes = new Map<string, Stored>()
      for (const [path, content] of Object.entries(files)) changes.set(path, await store(id, path, content))
      if (changes.size > 0) repository.commit('main', 'files', changes)
    },
    tree(id: string, revision = 'main') {
      return new Map(
        [...commitOf(id, revision).files].map(([path, stored]) => [
          path,
          stored.kind === 'lfs'
            ? { size: stored.size, oid: blobOid(stored), sha256: stored.oid }
            : { size: stored.bytes.length, oid: blobOid(stored) },
        ]),
      )
    },
    async read(id: string, path: string, revision = 'main') {
      const stored = commitOf(id, revision).files.get(path)
      if (!stored) throw new Error(`no file ${path}`)
      return stored.kind === 'regular' ? stored.bytes : readFile(state.store.path(stored.oid))
    },
    head: (id: string, branch = 'main') => commitOf(id, branch).oid,
    commits(id: string, branch = 'main') {
      const all: Commit[] = []
      for (let at: Commit | undefined = commitOf(id, branch); at; )
        at = all[all.push(at) - 1]?.parent === undefined ? undefined : commitOf(id, at.parent ?? '')
      return all
    },
    async commitElsewhere(id: string, files: Readonly<Record<string, string | Uint8Array | null>>) {
      const changes = new Map<string, Stored | null>()
      for (const [path, content] of Object.entries(files))
        changes.set(path, content === null ? null : await store(id, path, content))
      return repositoryOf(id).commit('main', 'from elsewhere', changes).oid
    },
  }
}

type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  state: HubState,
  fault: Fault | undefined,
  url: URL,
) => Promise<void>

async function listen(host: Seen['host'], state: HubState, answer: Answer) {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', `http://${request.headers.host}`)
    const { authorization, range } = request.headers
    const seen: HubRequest = {
      ...{
        host,
        method: request.method ?? '',
        path: decodeURIComponent(url.pathname),
        url: request.url ?? '',
      },
      ...{ authorization, range, received: 0, status: 0 },
    }
    state.requests.push(seen)
    const count = request.socket.bytesRead
    response.on('close', () => {
      seen.status = response.statusCode
      seen.received = request.socket.bytesRead - count
    })
    const fault = takeFault(state.faults, seen)
    applyFault(fault, request, response)
      .then((isAnswered) => (isAnswered ? undefined : answer(request, response, state, fault, url)))
      .catch((error) => {
        if (response.headersSent || response.destroyed) request.socket.destroy()
        else response.writeHead(500).end(JSON.stringify({ error: String(error) }))
      })
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
