import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { buildCommands, builtModule } from './commands.ts'
import { READY } from './prepared.ts'

/** Before the tests: start what prepares the slow things that some of them need, and let the others begin meanwhile. */
export default async function setup(): Promise<() => void> {
  await rm(READY, { recursive: true, force: true })
  await mkdir(READY, { recursive: true })
  await buildCommands()
  const preparing = execa(process.execPath, [builtModule('test/helpers/prepare.ts')], {
    reject: false,
    stdout: 'ignore',
    stderr: ['inherit', 'pipe'],
  })
  void preparing.then(async ({ exitCode, shortMessage, stderr }) => {
    if (exitCode !== 0) await writeFile(join(READY, 'failed'), `${shortMessage}\n${stderr}`)
  })
  return () => void preparing.kill()
}
