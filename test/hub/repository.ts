// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { DEFAULT_ATTRIBUTES, isLfsPath, withPath } from './git-attributes.ts'

/** A file at a commit: its bytes, or which object it points to. */
export type Stored =
  | { readonly kind: 'regular'; readonly bytes: Buffer }
  | { readonly kind: 'lfs'; readonly sha256: string; readonly size: number }

export interface Commit {
  readonly oid: string
  readonly parent: string | undefined
  readonly title: string
  readonly description: string
  readonly date: Date
  readonly files: ReadonlyMap<string, Stored>
}

export interface Change {
  readonly title: string
  readonly description?: string
  /** null deletes */
  readonly files: ReadonlyMap<string, Stored | null>
}

const ATTRIBUTES = '.gitattributes'
/** Files of this size are large whatever their name. */
export const LARGE = 10_000_000

/** Commits, and names for some of them. */
export class Repository {
  readonly id: string
  readonly private: boolean
  readonly branches = new Map<string, string>()
  readonly tags = new Map<string, string>()
  /** by refs/pr/N */
  readonly pullRequests = new Map<string, string>()
  readonly #commits = new Map<string, Commit>()

  constructor(id: string, isPrivate: boolean) {
    this.id = id
    this.private = isPrivate
    const attributes: Stored = { kind: 'regular', bytes: Buffer.from(DEFAULT_ATTRIBUTES) }
    const first = this.#add(undefined, {
      title: 'initial commit',
      files: new Map([[ATTRIBUTES, attributes]]),
    })
    this.branches.set('main', first.oid)
  }

  /** @param revision branch, tag, pull request, commit, or HEAD for the default branch */
  resolve(revision: string): Commit | undefined {
    const name = revision === 'HEAD' ? 'main' : revision.replace(/^refs\/(heads|tags)\//, '')
    const oid = this.branches.get(name) ?? this.tags.get(name) ?? this.pullRequests.get(revision)
    return this.#commits.get(oid ?? revision)
  }

  /** What a commit can go on top of: a branch or a pull request, not a tag or another commit. */
  tip(ref: string): Commit | undefined {
    const oid = this.branches.get(ref) ?? this.pullRequests.get(ref)
    return oid === undefined ? undefined : this.#commits.get(oid)
  }

  commit(ref: string, change: Change): Commit {
    const made = this.#apply(ref, change)
    if (this.branches.has(ref)) this.branches.set(ref, made.oid)
    else this.pullRequests.set(ref, made.oid)
    return made
  }

  /** The same as a pull request: the branch stays where it is. */
  propose(branch: string, change: Change): { readonly commit: Commit; readonly number: number } {
    const commit = this.#apply(branch, change)
    const number = this.pullRequests.size + 1
    this.pullRequests.set(`refs/pr/${number}`, commit.oid)
    return { commit, number }
  }

  /** A branch without files and history. */
  addEmptyBranch(name: string): void {
    this.branches.set(name, this.#add(undefined, { title: 'empty branch', files: new Map() }).oid)
  }

  /** Newest first. */
  history(commit: Commit): Commit[] {
    const all: Commit[] = []
    for (let at: Commit | undefined = commit; at; at = this.#commits.get(at.parent ?? '')) all.push(at)
    return all
  }

  #apply(ref: string, change: Change): Commit {
    const parent = this.tip(ref)
    const files = new Map(parent?.files)
    for (const [path, stored] of change.files) {
      if (stored === null) files.delete(path)
      else files.set(path, stored)
    }
    addAttributes(files, change.files)
    return this.#add(parent, { ...change, files })
  }

  #add(
    parent: Commit | undefined,
    change: Change & { readonly files: ReadonlyMap<string, Stored | null> },
  ): Commit {
    const files = new Map<string, Stored>()
    for (const [path, stored] of change.files) if (stored) files.set(path, stored)
    const { title, description = '' } = change
    const names = [...files].map(([path, stored]) => `${path} ${blobOid(stored)}`)
    const oid = createHash('sha1')
      .update(JSON.stringify([this.id, this.#commits.size, parent?.oid, title, description, names]))
      .digest('hex')
    const commit = { oid, parent: parent?.oid, title, description, date: new Date(), files }
    this.#commits.set(oid, commit)
    return commit
  }
}

/** Whether a new file goes to large file storage; a commit may bring its own attributes. */
export function isLarge(commit: Commit, path: string, size: number, attributes?: string): boolean {
  return size >= LARGE || isLfsPath(attributes ?? attributesOf(commit.files), path)
}

export function sizeOf(stored: Stored): number {
  return stored.kind === 'lfs' ? stored.size : stored.bytes.length
}

/** Git's name for a file: of its own bytes, or of those of the pointer to the object. */
export function blobOid(stored: Stored): string {
  const bytes = stored.kind === 'regular' ? stored.bytes : Buffer.from(pointerTo(stored))
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export function pointerTo({ sha256, size }: { readonly sha256: string; readonly size: number }): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`
}

function attributesOf(files: ReadonlyMap<string, Stored>): string {
  const stored = files.get(ATTRIBUTES)
  return stored?.kind === 'regular' ? stored.bytes.toString() : ''
}

/** Large files that no pattern covers get a line of their own. */
function addAttributes(files: Map<string, Stored>, changes: Change['files']): void {
  const before = attributesOf(files)
  let after = before
  for (const [path, stored] of changes) if (stored?.kind === 'lfs') after = withPath(after, path)
  if (after !== before) files.set(ATTRIBUTES, { kind: 'regular', bytes: Buffer.from(after) })
}
