// SPDX-License-Identifier: Apache-2.0

import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { bundleScripts } from '../pipeline/page/bundle.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeJson } from '../pipeline/shared/output-files.ts'
import { BUILD_FILE, versionOf } from '../pipeline/shared/own-version.ts'
import { script } from './run-script.ts'

/*
 * What the npm package has of the sources, in dist/: JavaScript, types of what programs import, the files that modules read beside them, and
 * the scripts of the page for browsers.
 */

const LINE: CommandLine = {
  command: 'npm run build --',
  usage: '[options]',
  about:
    'Build dist/, which npm pack puts into the package. The last build stays until this one is complete.',
}

const DIST = join(PROJECT, 'dist')
const ROOMS = ['eval', 'graph-tools', 'pipeline']
/** Read or run as they are, beside the modules. */
const ASSETS = /\.(?:js|css|html)$/

const run = script(LINE, {}, async () => {
  const making = await mkdtemp(join(PROJECT, '.dist-'))
  try {
    await Promise.all([
      compile('tsconfig.build.json', making),
      compile('tsconfig.types.json', making),
      bundleScripts(join(making, 'page')),
      ...ROOMS.map((room) => copyAssets(room, making)),
    ])
    await writeJson(join(making, BUILD_FILE), await versionOf(PROJECT))
    await rm(DIST, { recursive: true, force: true })
    await rename(making, DIST)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return EXIT.done
})

/** @param settings of the compiler, in scripts/ */
async function compile(settings: string, out: string): Promise<void> {
  const tsc = join(PROJECT, 'node_modules', 'typescript', 'bin', 'tsc')
  const args = [tsc, '--project', join(PROJECT, 'scripts', settings), '--outDir', out]
  await execa(process.execPath, args, { cwd: PROJECT, stdio: 'inherit' })
}

async function copyAssets(room: string, out: string): Promise<void> {
  const names = await readdir(join(PROJECT, room), { recursive: true })
  for (const name of names.filter((file) => ASSETS.test(file))) {
    const target = join(out, room, name)
    await mkdir(dirname(target), { recursive: true })
    await copyFile(join(PROJECT, room, name), target)
  }
}

await asProcess(run, process.argv.slice(2))
