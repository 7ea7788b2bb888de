// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { defined } from '../../eval/runtime/defined.ts'
import { EMBEDDINGS } from '../../eval/runtime/graphs.ts'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import { COMMANDS } from '../../pipeline/commands/commands.ts'
import type { TrialRecord } from '../../pipeline/lab/trial-record.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import type { Recipe, Rule } from '../../pipeline/recipe-schema.ts'
import { rowOf } from '../../pipeline/variants.ts'
import { startCli } from '../helpers/cli.ts'
import { eventsOf } from '../helpers/events.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { stagePython } from '../helpers/prepared.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

/** The command in this process, with --json. */
async function quantize(...args: readonly string[]) {
  const out: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0)
  const load = COMMANDS['quantize']?.load
  const exitCode = await (await load?.())?.run([...args, '--json'])
  spy.mockRestore()
  const events = eventsOf(out.join(''))
  return { exitCode, reports: events.filter(({ event }) => event === 'report'), last: events.at(-1) }
}

async function recipeFiles(recipes: Readonly<Record<string, unknown>>): Promise<string[]> {
  const folder = await temporaryFolder()
  return Promise.all(
    Object.entries(recipes).map(async ([name, recipe]) => {
      const file = join(folder, `${name}.json`)
      await writeFile(file, JSON.stringify(recipe))
      return file
    }),
  )
}

let model = ''
let common: readonly string[] = []
beforeAll(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-trials-'))
  model = await copyTinyRelease(parent)
  const python = await stagePython()
  common = ['--model-dir', model, '--n-samples', '10', '--threads', '1', '--python', python]
  return () => rm(parent, { recursive: true })
})

describe('trials', () => {
  it('are made, measured against FP32, compared and not run twice', { timeout: 120_000 }, async () => {
    const trialsFolder = join(model, '.work', 'trials')
    const [same = '', finer = '', wrong = ''] = await recipeFiles({
      // int4's weights, by other rules
      Same: {
        decoder: [
          ['lm_head', 'q4b64'],
          ['*', 'q4b64'],
        ],
        prompts: 'int8',
      },
      finer: {
        decoder: [
          ['lm_head', 'q8b64'],
          ['*', 'f32'],
        ],
        encoder: [['*', 'q8b128']],
      },
      wrong: {
        decoder: [
          ['layer.0.*', 'f32'],
          ['*', 'q4b64'],
        ],
      },
    })
    const keep = join(await temporaryFolder(), 'kept')
    const first = await quantize('trial', same, wrong, finer, ...common, '--keep', keep)
    expect(first.exitCode).toBe(1)
    expect(first.last).toMatchObject({ event: 'failure', message: '1 of 3 trials failed.', exitCode: 1 })
    const [one, failed, other] = first.reports
    expect(failed.failed).toEqual({
      name: 'wrong',
      message: `${wrong}: The recipe's rule for layer.0.* decides about no weight.`,
      hint: expect.stringContaining('layers.*.down'),
    })
    const ratio = { to: 'int4', mean: 1, low: 1, high: 1 }
    expect(one.trial).toMatchObject({ name: 'Same', fidelity: { clips: 10, prefill: 'int8', ratio } })
    const { fidelity, bytes, speed }: TrialRecord = other.trial
    expect(fidelity).toMatchObject({ prefill: 'same', changed: 0, top1: 1 })
    expect(Number(fidelity.kld.mean)).toBeGreaterThan(0)
    expect(Number(fidelity.kld.mean)).toBeLessThan(1e-4)
    expect(bytes.total).toBeGreaterThan(bytes.decoder + bytes.encoder + bytes.embeddings)
    expect(bytes.encoder).toBeLessThan(one.trial.bytes.encoder / 2)
    expect(bytes.decoder).toBeGreaterThan(one.trial.bytes.decoder)
    expect(Math.min(speed.stepMs, speed.promptMs, speed.encoderMs)).toBeGreaterThan(0)

    expect((await readdir(trialsFolder)).sort()).toEqual(['reference', 'trials.jsonl'])
    expect(await readdir(join(keep, 'Same'))).toContain('decoder_prefill.same.onnx')
    expect(await readdir(keep)).toEqual(expect.arrayContaining(['Same', 'finer']))

    // a killed run's half line is no trial, and spoils none
    const file = join(trialsFolder, 'trials.jsonl')
    await appendFile(file, '{"name":"half","rec')
    const again = await quantize('trial', same, ...common)
    expect(again).toMatchObject({ exitCode: 0, reports: [{ isOld: true, trial: { name: 'Same' } }] })
    const lines = (await readFile(file, 'utf8')).split('\n')
    const forced = await quantize('trial', same, ...common, '--force')
    expect(forced.reports).toMatchObject([{ isOld: false, trial: { fidelity: one.trial.fidelity } }])
    const after = (await readFile(file, 'utf8')).split('\n')
    expect(after.slice(0, lines.length)).toEqual(lines)
    expect(after).toHaveLength(lines.length + 2)

    const refused = await quantize('trial', same, ...common, '--keep', keep)
    expect(refused.last).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('is there already, wanted a new folder.'),
    })

    const { reports } = await quantize('list', '--model-dir', model)
    const listed = new Map(reports[0].recipes.map((recipe: { name: string }) => [recipe.name, recipe]))
    expect(listed.get('int4')).toMatchObject({
      kind: 'variant',
      layouts: ['fused', 'split'],
      needsCalibration: false,
    })
    expect(listed.get('compact')).toMatchObject({ layouts: ['fused'] })
    expect(listed.get('compact')).not.toHaveProperty('bytes')
    expect(listed.get('finer')).toMatchObject({ kind: 'trial', bytes: bytes.total })

    const compared = await quantize('compare', '--model-dir', model)
    const names = compared.reports[0].compared.map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(['fp32', 'int4', 'Same', 'finer']))
    const ofSame = compared.reports[0].compared.find(({ name }: { name: string }) => name === 'Same')
    expect(ofSame).toMatchObject({ kind: 'trial', remark: 'on other clips' })
    expect(await readFile(compared.reports[0].chart, 'utf8')).toContain('Size against divergence from FP32')
  })

  it('with the embeddings in the output layer are made without embed_tokens.bin, also after a killed run', async () => {
    const { decoder: own, embeddings, prompts } = rowOf('compact').recipe ?? expect.fail()
    const encoder: Rule[] = [['*', 'q8b128']]
    const compact: Recipe = { decoder: own, encoder, ...defined({ embeddings, prompts }) } // without a calibration
    const decoder: Rule[] = [
      ['lm_head', 'q4b64'],
      ['*', 'q4b64'],
    ]
    const [small = '', large = ''] = await recipeFiles({ table4: { ...compact, decoder }, table8: compact })
    const [work, trials] = [join(model, '.work'), join(model, '.work', 'trials')]
    const recorded = () => readFile(join(trials, 'trials.jsonl'), 'utf8').catch(() => '')
    const lines = await recorded()
    const killed = startCli(['trial', small, ...common], {}, 'quantize')
    const begun = join(trials, 'table4.partial', 'making', 'recipe.json')
    while (killed.exitCode === null && !existsSync(begun)) await sleep(20)
    killed.kill('SIGKILL')
    expect(await killed).toMatchObject({ signal: 'SIGKILL' })
    expect(await readdir(trials)).toContain('table4.partial')
    expect(existsSync(join(work, 'lock'))).toBe(true)
    expect(await recorded()).toBe(lines)

    const keep = await temporaryFolder()
    const { exitCode, reports } = await quantize('trial', small, large, ...common, '--keep', keep)
    expect(exitCode).toBe(0)
    expect((await readdir(trials)).filter((name) => /partial|table/.test(name))).toEqual([])
    expect(existsSync(join(work, 'lock'))).toBe(false)
    const after = await recorded()
    expect(after.startsWith(lines)).toBe(true)
    const added = after.slice(lines.length).trimEnd().split('\n')
    expect(added.map((line) => JSON.parse(line).name)).toEqual(['table4', 'table8'])
    const found: TrialRecord[] = reports.map(({ trial }) => trial)
    for (const { name, bytes, fidelity, speed } of found) {
      const files = await readdir(join(keep, name))
      expect(files).not.toContain(EMBEDDINGS)
      expect(files).toContain(`embed_tokens.${name}.json`)
      const sizes = await Promise.all(files.map(async (file) => (await stat(join(keep, name, file))).size))
      expect(bytes.total).toBe(sizes.reduce((sum, size) => sum + size, 0))
      expect(bytes.embeddings).toBeLessThan(2000) // where the rows are
      expect(fidelity).toMatchObject({ clips: 10, prefill: 'int8' })
      expect(fidelity.kld.mean).toBeGreaterThan(0)
      expect(speed.stepMs).toBeGreaterThan(0)
    }
    const [four, eight] = found.map(({ bytes }) => bytes.total)
    const levels = 448 * 128
    expect((eight ?? 0) - (four ?? 0)).toBeGreaterThanOrEqual(levels / 2)
    expect((eight ?? 0) - (four ?? 0)).toBeLessThan(0.55 * levels)
    await using asr = await Qwen3Asr.load(join(keep, 'table4'), { threads: 1 })
    const { text } = await asr.transcribe(join(BUNDLED_SPEECH, 'held-out-000.flac'))
    expect(text).toBe('One seven zero two nine two.')
  })

  it('need FP32 in the fused layout', async () => {
    const [file = ''] = await recipeFiles({ mine: { decoder: [['*', 'q4b32']] } })
    const model = await copyTinyRelease()
    await rm(join(model, 'decoder.onnx'))
    const { last } = await quantize('trial', file, '--model-dir', model)
    expect(last).toMatchObject({
      message: `${model} has FP32 in the split layout only (decoder_init.onnx, decoder_step.onnx), wanted decoder.onnx.`,
      exitCode: 1,
    })
    await rm(join(model, 'decoder_init.onnx'))
    const none = await quantize('trial', file, '--model-dir', model)
    expect(none.last.message).toBe(`${model} holds no FP32 decoder, wanted decoder.onnx.`)
  })

  it('need two clips at least', async () => {
    const [file = ''] = await recipeFiles({ mine: { decoder: [['*', 'q4b32']] } })
    const { last } = await quantize('trial', file, '--model-dir', model, '--n-samples', '1')
    expect(last.message).toMatch(/: 1 clip is chosen, wanted at least 2\.$/)
  })

  it('say what of a recipe is wrong before anything is made', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'x'))
    const { exitCode, last } = await quantize('trial', join(folder, 'none.json'))
    expect({ exitCode, message: last.message }).toEqual({
      exitCode: 2,
      message: `${join(folder, 'none.json')}: the file does not exist.`,
    })
  })
})
