// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parsePackage } from '../../pipeline/commands/package-options.ts'
import { parsePublish } from '../../pipeline/commands/publish-options.ts'
import { runPublish } from '../../pipeline/publish/run-publish.ts'
import { findRelease } from '../../pipeline/release/release-files.ts'
import { recoverFolder, replaceFolder } from '../../pipeline/release/replace-folder.ts'
import { runPackage } from '../../pipeline/release/run-package.ts'
import type { Event } from '../../pipeline/shared/events.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { takeLock } from '../../pipeline/shared/lock.ts'
import { exists } from '../../pipeline/shared/output-files.ts'
import { injectFault } from '../helpers/faults.ts'
import { snapshot, temporaryFolder } from '../helpers/folder.ts'
import { copyTinyRelease, expectWhole, TINY_NAME } from '../helpers/tiny-release.ts'

const never = () => new AbortController().signal

afterEach(() => {
  vi.unstubAllEnvs()
})

/** What a command says, and how it ends. */
async function ending(work: (emit: (event: Event) => void) => Promise<number>) {
  const events: Event[] = []
  try {
    return { events, message: '', hint: '', exitCode: await work((event) => events.push(event)) }
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    return { events, message, hint, exitCode }
  }
}

const packaging = (args: readonly string[]) =>
  ending(async (emit) => {
    const options = await parsePackage([...args, '--threads', '1'])
    if (!options) throw new Error('no options')
    return runPackage(options, emit, never())
  })

const verifying = (target: string) => packaging(['verify', target, '--variants', 'int4'])

/** It ends before anything is asked of a hub, when the release is not right. */
const publishing = (target: string, more: readonly string[] = ['--dry-run']) =>
  ending(async (emit) => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9')
    const options = await parsePublish([target, '--repo', 'me/model', ...more])
    if (!options) throw new Error('no options')
    return runPublish(options, emit, never())
  })

describe('replacing a folder', () => {
  async function folders() {
    const parent = await temporaryFolder()
    const [place, fresh] = [join(parent, 'release'), join(parent, 'release.partial')]
    for (const [folder, text] of [
      [place, 'old'],
      [fresh, 'new'],
    ] as const) {
      await mkdir(folder)
      for (const name of ['a', 'b']) await writeFile(join(folder, name), text)
    }
    return { parent, place, fresh }
  }
  const contents = async (place: string) =>
    Promise.all(['a', 'b'].map((name) => readFile(join(place, name), 'utf8')))

  it('leaves the old one or the new one, whole, wherever it is killed', async () => {
    const found = new Set<string>()
    for (let step = 1; ; step++) {
      const { place, fresh } = await folders()
      let hasEnded = false
      let end = async () => {}
      const stopped = new Promise<void>((resolve) => {
        end = injectFault({ kind: 'freeze', at: step, onFault: resolve })
      })
      const done = replaceFolder(fresh, place).then(() => {
        hasEnded = true
      })
      await Promise.race([stopped, done])
      await end()
      await recoverFolder(place) // as every command does that looks for it
      const [a, b] = await contents(place)
      expect(a).toBe(b)
      found.add(a ?? '')
      if (hasEnded) break
    }
    expect([...found].sort()).toEqual(['new', 'old'])
  })

  it('keeps the old one when the new one cannot take its place', async () => {
    const { parent, place } = await folders()
    await expect(replaceFolder(join(parent, 'nowhere'), place)).rejects.toThrow('ENOENT')
    expect(await contents(place)).toEqual(['old', 'old'])
    expect((await readdir(parent)).sort()).toEqual(['release', 'release.partial'])
  })

  it('wins against a reader that puts the old one back between the two renames', async () => {
    const { parent, place, fresh } = await folders()
    let isDone = false
    const replacing = replaceFolder(fresh, place).finally(() => {
      isDone = true
    })
    while (!isDone) await recoverFolder(place)
    await replacing
    expect(await contents(place)).toEqual(['new', 'new'])
    expect(await readdir(parent)).toEqual(['release'])
  })
})

describe('the last complete release', () => {
  it('stays when the disk is full at any time of packaging, and nothing else is left', async () => {
    const model = await copyTinyRelease()
    const before = await snapshot(join(model, 'release'))
    for (const at of [1, 5, 10, 15]) {
      const end = injectFault({ kind: 'full', at })
      const { message, exitCode } = await packaging([model])
      await end()
      expect(message).toMatch(/^The disk is full/)
      expect(exitCode).toBe(1)
      expect(await snapshot(join(model, 'release'))).toEqual(before)
    }
    expect((await readdir(model)).filter((name) => /partial|old/.test(name))).toEqual([])
  })

  it('is found by verify, and only under its own name, after a kill between the renames', async () => {
    const model = await copyTinyRelease()
    await rename(join(model, 'release'), join(model, 'release.old'))
    const { root } = await findRelease(model)
    expect(root).toBe(join(model, 'release'))
    const other = await temporaryFolder()
    await mkdir(join(other, 'notes.old'))
    await expect(findRelease(join(other, 'notes'))).rejects.toThrow('holds no release')
    expect(await readdir(other)).toEqual(['notes.old'])
  })
})

describe('a release of other bytes than its model directory has', () => {
  const stale: [string, (model: string) => Promise<void>, string][] = [
    [
      'when a file was changed',
      async (model) => {
        const path = join(model, 'decoder_weights.int4.data')
        const bytes = await readFile(path)
        bytes[100] = (bytes[100] ?? 0) ^ 1
        await rm(path) // as every stage does: other names of the file keep their content
        await writeFile(path, bytes)
      },
      'holds other bytes than the release was made of: decoder_weights.int4.data.',
    ],
    [
      'when a stage was stopped',
      async (model) => {
        for (const name of ['encoder.onnx', 'decoder.onnx', 'decoder_init.onnx', 'decoder_step.onnx'])
          await rm(join(model, name))
      },
      'no longer has encoder.onnx, decoder_init.onnx, decoder_step.onnx and 1 more, of which the release was made.',
    ],
  ]
  it.each(stale)('is refused by verify and publish %s', async (_, change, sentence) => {
    const model = await copyTinyRelease()
    await change(model)
    for (const { message, hint, exitCode } of [await verifying(model), await publishing(model)]) {
      expect(message).toContain(`${model} ${sentence}`)
      expect(hint).toBe(
        `Make the new release: npm run package -- ${model}. To keep the archives of the older one, move ${join(model, 'release')} to another folder.`,
      )
      expect(exitCode).toBe(3)
    }
    // the archives of the older release are what they were, here and elsewhere
    await expectWhole(join(model, 'release'))
    const archive = join(model, 'release', `${TINY_NAME}-int4.tar.gz`)
    expect((await packaging(['verify', archive])).exitCode).toBe(0)
    const elsewhere = join(await temporaryFolder(), 'kept')
    await rename(join(model, 'release'), elsewhere)
    await expectWhole(elsewhere)
  })

  it('is that no longer when the directory is as it was', async () => {
    const model = await copyTinyRelease()
    const path = join(model, 'config.json')
    const text = await readFile(path, 'utf8')
    await writeFile(path, `${text} `)
    expect((await verifying(model)).exitCode).toBe(3)
    await rm(path)
    expect((await verifying(model)).message).toContain('no longer has config.json, of which')
    await writeFile(path, text)
    expect((await verifying(model)).exitCode).toBe(0)
  })
})

describe('a model directory that a stage is at work on', () => {
  it('is not published; a dry run looks at it', async () => {
    const model = await copyTinyRelease()
    await writeFile(join(model, 'release', '.DS_Store'), 'x') // ends each run before it asks a hub
    const lock = join(model, '.work', 'lock')
    const giveBack = await takeLock(lock, model)
    expect((await publishing(model)).message).toContain('.DS_Store')
    const { message, exitCode } = await publishing(model, [])
    expect(message).toBe(`Another run (process ${process.pid}) is working on ${model}.`)
    expect(exitCode).toBe(1)
    await giveBack()
    expect((await publishing(model, [])).message).toContain('.DS_Store')
    expect(await exists(lock)).toBe(false)
  })
})

describe('files of a file manager in a release', () => {
  const FINDER = 'Finder of macOS'
  const EXPLORER = 'Explorer of Windows'
  const strays = [
    ['.DS_Store', FINDER],
    ['Thumbs.db', EXPLORER],
    ['desktop.ini', EXPLORER],
    ['._decoder.onnx', 'macOS (it keeps attributes of a file there)'],
  ] as const

  it('are named with the advice to delete them', async () => {
    const model = await copyTinyRelease()
    const root = join(model, 'release')
    for (const [name] of strays) await writeFile(join(root, name), 'x')
    await writeFile(join(model, '._decoder.onnx'), 'x') // a program that looks for graphs takes it for one
    await writeFile(join(model, '.DS_Store'), 'x') // of no matter there
    const verified = await verifying(root)
    const notes = verified.events.flatMap((event) => (event.event === 'note' ? [event.text] : []))
    for (const [name, program] of strays)
      expect(notes).toContain(`${join(root, name)} is a file of ${program}, not of the release. Delete it.`)
    expect(notes).toContain(
      `${join(model, '._decoder.onnx')} is a file of ${strays[3][1]}, not of the release. Delete it.`,
    )
    expect(notes.length).toBe(5)
    const published = await publishing(model)
    expect(published.message).toContain(`is a file of ${FINDER}, not of the release. Delete it.`)
    for (const { hint, exitCode } of [verified, published]) {
      expect(hint).toBe('Delete them, then run the same command again. The release itself is as it was made.')
      expect(exitCode).toBe(3)
    }
    for (const [name] of strays) await rm(join(root, name))
    expect((await publishing(model)).hint).toMatch(/^Delete it, then run/)
  })
})

describe('verifying an archive', () => {
  it('says that the temporary folder is full, and how to use another', async () => {
    const model = await copyTinyRelease()
    const temporary = await temporaryFolder()
    vi.stubEnv('TMPDIR', temporary)
    for (const at of [1, 2, 5]) {
      const end = injectFault({ kind: 'full', at })
      const { message, hint } = await packaging([
        'verify',
        join(model, 'release', `${TINY_NAME}-int4.tar.gz`),
      ])
      await end()
      expect(message).toContain(
        `The disk is full. The temporary folder is ${join(temporary, 'qwen3-asr-verify-')}`,
      )
      expect(hint).toBe(
        'Free space there, or set TMPDIR to a folder with more, then run the same command again.',
      )
    }
    expect(await readdir(temporary)).toEqual([])
  })
})
