import { createHash } from 'node:crypto'

/** A file at a commit: its bytes, or the pointer to an object. */
export type Stored =
  | { readonly kind: 'regular'; readonly bytes: Buffer }
  | { readonly kind: 'lfs'; readonly oid: string; readonly size: number }

export interface Commit {
  readonly oid: string
  readonly parent: string | undefined
  readonly title: string
  readonly description: string
  readonly files: ReadonlyMap<string, Stored>
}

/** As the hub makes it in a new repository (shortened to patterns that matter here). */
export const GIT_ATTRIBUTES = ['7z', 'bin', 'gz', 'h5', 'onnx', 'pt', 'safetensors', 'zip']
  .map((ending) => `*.${ending} filter=lfs diff=lfs merge=lfs -text\n`)
  .join('')

const BIG = 10_000_000

/** What a repository of the hub is: commits, and names for some of them. */
export class Repository {
  readonly id: string
  readonly isPrivate: boolean
  readonly branches = new Map<string, string>()
  readonly tags = new Map<string, string>()
  readonly pullRequests = new Map<string, string>()
  readonly commits = new Map<string, Commit>()
  #count = 0

  constructor(id: string, isPrivate: boolean) {
    this.id = id
    this.isPrivate = isPrivate
    const attributes: Stored = { kind: 'regular', bytes: Buffer.from(GIT_ATTRIBUTES) }
    const files = new Map([['.gitattributes', attributes]])
    this.branches.set('main', this.#add(undefined, 'initial commit', '', files).oid)
  }

  /** @param revision branch, tag, pull request or commit */
  resolve(revision: string): Commit | undefined {
    const oid =
      this.branches.get(revision) ?? this.tags.get(revision) ?? this.pullRequests.get(revision) ?? revision
    return this.commits.get(oid)
  }

  /** Commit on top of a branch; `null` deletes. */
  commit(
    branch: string,
    title: string,
    changes: ReadonlyMap<string, Stored | null>,
    description = '',
  ): Commit {
    const commit = this.#apply(branch, title, changes, description)
    this.branches.set(branch, commit.oid)
    return commit
  }

  /** The same as a pull request: the branch stays. */
  propose(
    branch: string,
    title: string,
    changes: ReadonlyMap<string, Stored | null>,
  ): { commit: Commit; ref: string } {
    const commit = this.#apply(branch, title, changes, '')
    const ref = `refs/pr/${this.pullRequests.size + 1}`
    this.pullRequests.set(ref, commit.oid)
    return { commit, ref }
  }

  isLfs(branch: string, path: string, size: number): boolean {
    const attributes = this.resolve(branch)?.files.get('.gitattributes')
    const text = attributes?.kind === 'regular' ? attributes.bytes.toString() : ''
    return size >= BIG || coversPath(text, path)
  }

  #apply(
    branch: string,
    title: string,
    changes: ReadonlyMap<string, Stored | null>,
    description: string,
  ): Commit {
    const parent = this.resolve(branch)
    const files = new Map(parent?.files)
    for (const [path, stored] of changes) {
      if (stored === null) files.delete(path)
      else files.set(path, stored)
    }
    addAttributes(files, changes)
    return this.#add(parent?.oid, title, description, files)
  }

  #add(
    parent: string | undefined,
    title: string,
    description: string,
    files: ReadonlyMap<string, Stored>,
  ): Commit {
    const oid = createHash('sha1')
      .update(`${this.id} ${this.#count++} ${title}`)
      .digest('hex')
    const commit = { oid, parent, title, description, files }
    this.commits.set(oid, commit)
    return commit
  }
}

/** git's name of a file: sha1 of its blob, of a large one's pointer. */
export function blobOid(stored: Stored): string {
  const bytes = stored.kind === 'regular' ? stored.bytes : Buffer.from(pointerOf(stored))
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export function pointerOf({ oid, size }: { readonly oid: string; readonly size: number }): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`
}

/** Large files whose ending has no pattern get one by name, as the commit endpoint does. */
function addAttributes(files: Map<string, Stored>, changes: ReadonlyMap<string, Stored | null>): void {
  const attributes = files.get('.gitattributes')
  let text = attributes?.kind === 'regular' ? attributes.bytes.toString() : ''
  for (const [path, stored] of changes) {
    if (stored?.kind === 'lfs' && !coversPath(text, path))
      text += `${path} filter=lfs diff=lfs merge=lfs -text\n`
  }
  files.set('.gitattributes', { kind: 'regular', bytes: Buffer.from(text) })
}

function coversPath(attributes: string, path: string): boolean {
  return attributes.split('\n').some((line) => {
    const pattern = line.split(' ')[0] ?? ''
    return pattern === path || (pattern.startsWith('*.') && path.endsWith(pattern.slice(1)))
  })
}
