// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../../eval/runtime/project.ts'

export const REMOTE = 'git@github.com:someone/qwen3-asr-onnx.git'

/**
 * Pack this checkout as `npm pack` does, in a copy of it that git knows, and has a remote.
 * @param folder for the copy and the tarball
 * @returns path of the tarball
 */
export async function packProject(folder: string): Promise<string> {
  const copy = join(folder, 'qwen3-asr-onnx')
  const { stdout } = await execa('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: PROJECT,
  })
  for (const name of stdout.split('\0').filter(Boolean)) {
    await mkdir(dirname(join(copy, name)), { recursive: true })
    await cp(join(PROJECT, name), join(copy, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error // deleted, and not committed
    })
  }
  await symlink(join(PROJECT, 'node_modules'), join(copy, 'node_modules'))
  const git = (...args: string[]) =>
    execa('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: copy })
  await git('init', '--quiet')
  await git('add', '--all')
  await git('commit', '--quiet', '--message', 'all')
  await git('remote', 'add', 'origin', REMOTE)
  await execa('npm', ['pack', '--pack-destination', folder], { cwd: copy })
  await git('diff', '--exit-code') // package.json is as it was
  const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  return join(folder, tarball)
}

/** A project of somebody else, without packages. */
export async function emptyProject(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n')
  return folder
}

/** Install packages in a project, those from the cache that are there. */
export async function npmInstall(
  project: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund']
  await execa('npm', ['install', ...quiet, ...args], { cwd: project, env })
}
