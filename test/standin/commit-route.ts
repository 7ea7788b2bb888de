import type { Stored } from './repository.ts'
import { type Call, fail, json } from './state.ts'

type Line =
  | {
      readonly key: 'header'
      readonly value: { summary: string; description?: string; parentCommit?: string }
    }
  | { readonly key: 'file'; readonly value: { path: string; content: string; encoding: string } }
  | { readonly key: 'lfsFile'; readonly value: { path: string; algo: string; oid: string; size: number } }
  | { readonly key: 'deletedFile' | 'deletedFolder'; readonly value: { path: string } }

/** POST /api/models/{id}/commit/{branch}: all lines or none. */
export async function commitRoute(call: Call): Promise<void> {
  const { response, repository, rest, url, body, state } = call
  const [branch = ''] = rest
  const lines = body
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
  const [header, ...operations] = lines
  if (header?.key !== 'header' || !header.value.summary)
    return fail(response, 400, 'the first line is no header')
  const head = repository.resolve(branch)
  if (!head) return fail(response, 404, `Invalid rev id: ${branch}`, 'RevisionNotFound')
  const { summary, description = '', parentCommit } = header.value
  if (parentCommit !== undefined && parentCommit !== head.oid)
    return fail(response, 412, 'A commit has happened since. Please refresh and try again.')
  const changes = new Map<string, Stored | null>()
  for (const line of operations) {
    const problem = await take(line, call, changes)
    if (problem) return fail(response, problem.status, problem.message, problem.code)
  }
  if (url.searchParams.has('create_pr')) {
    const { commit, ref } = repository.propose(branch, summary, changes)
    const number = ref.split('/').at(-1)
    const pullRequestUrl = `${state.hubUrl}/${repository.id}/discussions/${number}`
    return json(response, {
      success: true,
      commitOid: commit.oid,
      commitUrl: '',
      hookOutput: '',
      pullRequestUrl,
    })
  }
  const { oid } = repository.commit(branch, summary, changes, description)
  const commitUrl = `${state.hubUrl}/${repository.id}/commit/${oid}`
  json(response, { success: true, commitOid: oid, commitUrl, hookOutput: '' })
}

interface Problem {
  readonly status: number
  readonly message: string
  readonly code?: string
}

async function take(
  line: Line,
  { repository, rest, state }: Call,
  changes: Map<string, Stored | null>,
): Promise<Problem | undefined> {
  const files = repository.resolve(rest[0] ?? '')?.files
  switch (line.key) {
    case 'file': {
      const { path, content, encoding } = line.value
      const bytes = Buffer.from(content, encoding === 'base64' ? 'base64' : 'utf8')
      if (repository.isLfs(rest[0] ?? '', path, bytes.length))
        return { status: 400, message: `${path} belongs into large file storage` }
      changes.set(path, { kind: 'regular', bytes })
      return undefined
    }
    case 'lfsFile': {
      const { path, algo, oid, size } = line.value
      if (algo !== 'sha256' || (await state.store.size(oid)) !== size)
        return { status: 400, message: `the object ${oid} of ${path} is not there` }
      changes.set(path, { kind: 'lfs', oid, size })
      return undefined
    }
    case 'deletedFile': {
      const { path } = line.value
      if (!files?.has(path))
        return { status: 404, message: `Entry not found: ${path}`, code: 'EntryNotFound' }
      changes.set(path, null)
      return undefined
    }
    case 'deletedFolder':
      for (const path of files?.keys() ?? [])
        if (path.startsWith(`${line.value.path}/`)) changes.set(path, null)
      return undefined
    default:
      return { status: 400, message: `unknown line ${JSON.stringify(line)}` }
  }
}
