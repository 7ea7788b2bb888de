// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { takeLock } from '../../pipeline/shared/lock.ts'
import { builtModule } from '../helpers/commands.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { stagePython } from '../helpers/prepared.ts'
import { descendants, goneWithin, living } from '../helpers/processes.ts'

const HELD = builtModule('test/helpers/held-run.ts')
const LAZY_INIT = join(PROJECT, 'test', 'helpers', 'lazy_init.py')

async function startHeld(way: 'waits' | 'computes' | 'reads') {
  const folder = await temporaryFolder()
  const lock = join(folder, 'lock')
  await execa('mkfifo', [join(folder, 'fifo')])
  const run = execa(process.execPath, [HELD, way, lock, join(folder, 'log')], {
    ...{ cwd: PROJECT, env: { CI: 'true', OMP_NUM_THREADS: '1' }, reject: false, forceKillAfterDelay: false },
  })
  await once(run.stdout, 'data')
  const pids = await descendants(run.pid ?? 0)
  const programs = await living(pids)
  expect(programs.filter((line) => line.includes('hold_gil.py'))).toHaveLength(1)
  expect(programs.filter((line) => /sleep 600$/.test(line)).length).toBeGreaterThanOrEqual(2)
  return { run, lock, pids }
}

beforeAll(async () => {
  await stagePython() // what the runs wait for otherwise
})

describe('a run that is killed', () => {
  it('takes its children along within 2 s, one in C code with the GIL and a group too; the lock is free after them', async () => {
    const { run, lock, pids } = await startHeld('waits')
    expect((await readFile(lock, 'utf8')).split('\n')[0]).toMatch(new RegExp(`^${run.pid} `))
    await expect(takeLock(lock, 'it')).rejects.toThrow(`Another run (process ${run.pid}) is working on it.`)
    run.kill('SIGKILL')
    await run
    const killed = performance.now()
    const release = await takeLock(lock, 'it') // it waits for them
    expect(await living(pids)).toEqual([])
    expect(performance.now() - killed).toBeLessThan(2000)
    await release()
    expect(existsSync(lock)).toBe(false)
  })

  it('leaves the lock free at once also where ended processes stay as zombies', async () => {
    const folder = await temporaryFolder()
    const lock = join(folder, 'lock')
    await execa('mkfifo', [join(folder, 'fifo')])
    const held = [HELD, 'waits', lock, join(folder, 'log')]
    const init = execa('python3', [LAZY_INIT, process.execPath, ...held], { cwd: PROJECT, reject: false })
    onTestFinished(() => void init.kill('SIGKILL'))
    await once(init.stdout, 'data')
    const [run = 0, ...pids] = await descendants(init.pid ?? 0)
    expect((await living(pids)).length).toBeGreaterThan(3)
    process.kill(run, 'SIGKILL')
    const killed = performance.now()
    while ((await living([run])).length > 0) await sleep(5)
    const release = await takeLock(lock, 'it')
    expect(performance.now() - killed).toBeLessThan(1500)
    expect(await living(pids)).toEqual([])
    const { stdout } = await execa('ps', ['-o', 'stat=', '-p', pids.join()])
    expect(stdout).toMatch(/^Z/m)
    await release()
  })

  it('ends with the npm that started it', async () => {
    const folder = await temporaryFolder()
    const lock = join(folder, 'lock')
    const held = `node ${HELD} waits ${lock} ${join(folder, 'log')}`
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'qwen3-asr-onnx', scripts: { held } }),
    )
    const npm = execa('npm', ['run', '--silent', 'held'], { cwd: folder, reject: false })
    await once(npm.stdout, 'data')
    const pids = await descendants(npm.pid ?? 0)
    expect((await living(pids)).filter((line) => /held-run|hold_gil/.test(line)).length).toBeGreaterThan(1)
    npm.kill('SIGKILL')
    await goneWithin(pids, 2000)
    await npm
    const release = await takeLock(lock, 'it')
    await release()
  })
})

describe('the second Ctrl-C ends the run and its children', () => {
  it.each(['computes', 'reads'] as const)('while it %s what never ends', async (way) => {
    const { run, pids } = await startHeld(way)
    const watched = [run.pid ?? 0, ...pids]
    run.kill('SIGINT')
    await sleep(200)
    run.kill('SIGINT')
    await sleep(1000)
    // a machine that has no time for 200 ms sees two presses as one
    if ((await living(watched)).length > 0) run.kill('SIGINT')
    await goneWithin(watched, 2000)
    const { stderr } = await run
    expect(stderr.match(/Stopped at once\. Run it again\./g)).toHaveLength(1)
  })
})
