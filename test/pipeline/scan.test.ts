// SPDX-License-Identifier: Apache-2.0

import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it, vi } from 'vitest'
import { COMMANDS } from '../../pipeline/commands/commands.ts'
import type { WeightScan } from '../../pipeline/lab/scan-weights.ts'
import { CALIBRATION_SPEECH } from '../../pipeline/models.ts'
import { eventsOf } from '../helpers/events.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

/** The command in this process, with --json. */
async function scan(...args: readonly string[]) {
  const out: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0)
  const exitCode = await (await COMMANDS['quantize']?.load())?.run(['scan', ...args, '--json'])
  spy.mockRestore()
  const events = eventsOf(out.join(''))
  return { exitCode, report: events.find(({ event }) => event === 'report'), last: events.at(-1) }
}

/** The fewest clips of the bundled calibration speech that are enough. */
async function fewClips(): Promise<string> {
  const folder = await temporaryFolder()
  const manifest = await readFile(join(CALIBRATION_SPEECH, 'manifest.jsonl'), 'utf8')
  const lines = manifest.split('\n').slice(0, 8)
  for (const line of lines) {
    const { file }: { file: string } = JSON.parse(line)
    await copyFile(join(CALIBRATION_SPEECH, file), join(folder, file))
  }
  await writeFile(join(folder, 'manifest.jsonl'), lines.join('\n'))
  return folder
}

beforeAll(async () => {
  await sharedReleases()
})

it('a scan says what each weight costs, and what auto chooses within budgets', async () => {
  const model = await copyTinyRelease()
  const { exitCode, report } = await scan(
    model,
    '--calibration',
    await fewClips(),
    '--threads',
    '1',
    '--python',
    await stagePython(),
  )
  expect(exitCode).toBe(0)
  const found: WeightScan = report.scan
  expect(found).toMatchObject({ method: 'scan', low: 'q4b64', high: 'q8b64', calibration: { clips: 8 } })
  expect(found.weights).toHaveLength(3 * 7 + 1)
  for (const { name, kld } of found.weights) expect([kld > 0, kld < 0.01], name).toEqual([true, true])
  // 448 columns of 2 blocks: levels, 2 scales, zero points
  expect(found.weights.at(-1)).toMatchObject({
    ...{ name: 'lm_head', layer: null },
    ...{ bytesLow: 448 * (64 + 8 + 1), bytesHigh: 448 * (128 + 8 + 2) },
  })

  const total = found.weights.reduce((sum, { bytesLow }) => sum + bytesLow, 0)
  const byName = new Map(found.weights.map((weight) => [weight.name, weight]))
  expect(found.choices.map(({ share }) => share)).toEqual([0.1, 0.25, 0.5])
  for (const { share, names } of found.choices) {
    const chosen = names.map((name) => byName.get(name) ?? expect.fail(name))
    const added = chosen.map(({ bytesLow, bytesHigh }) => bytesHigh - bytesLow)
    expect(added.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(share * total)
    const gains = chosen.map(({ kld }, i) => kld / (added[i] ?? 0))
    expect(gains).toEqual([...gains].sort((a, b) => b - a))
    const best = found.weights.map((one) => one.kld / (one.bytesHigh - one.bytesLow))
    expect(gains[0]).toBe(Math.max(...best))
  }

  expect(report.page).toBe(join(model, '.work', 'trials', 'scan.html'))
  const page = await readFile(report.page, 'utf8')
  expect(page.match(/<svg/g)).toHaveLength(7 + 1)
  expect(page).toContain('<h1>What each weight costs in q4b64</h1>')
  expect(page).toContain("default-src 'none'")
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org\/)/)
})

it.each([
  [['a', '--model-dir', 'b'], 'The folder is given twice, wanted either FOLDER or --model-dir.'],
  [['--low', 'q8b64'], '--low and --high are both q8b64, wanted two formats.'],
  [['--low', 'q5b64'], /--low is "?q5b64"?, wanted f32, f16, i8, or a format of blocks such as q4b64\./],
  [['--method', 'all'], /method/],
])('wrong usage: %s', async (args, message) => {
  const { last } = await scan(...args)
  expect(last).toMatchObject({ event: 'failure', exitCode: 2, message: expect.stringMatching(message) })
})
