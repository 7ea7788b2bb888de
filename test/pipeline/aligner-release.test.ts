// SPDX-License-Identifier: Apache-2.0

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parsePackage } from '../../pipeline/commands/package-options.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { publish } from '../../pipeline/publish/publish-release.ts'
import { readManifest } from '../../pipeline/release/manifest.ts'
import { runPackage } from '../../pipeline/release/run-package.ts'
import type { Event } from '../../pipeline/shared/events.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { pathsOf } from '../../pipeline/shared/paths.ts'
import { tableLines } from '../../pipeline/shared/text-table.ts'
import { evaluateStage } from '../../pipeline/stages/evaluate-stage.ts'
import type { Run } from '../../pipeline/stages/stage.ts'
import { runCli } from '../helpers/cli.ts'
import { modelHub } from '../helpers/model-hub.ts'
import { sharedAligner, stagePython } from '../helpers/prepared.ts'
import { publishedValidator } from '../helpers/published-schema.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'

const NAME = 'aligner'
const REPO = 'tester/aligner-onnx'
const FILES = [
  ...['aligner.onnx', 'aligner_weights.data', 'config.json', 'embed_tokens.bin', 'encoder.onnx'],
  ...['preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'],
]

let root = ''
let model = ''
let release = ''
/** What packaging said before and after the evaluation. */
let unmeasured: Ended
let packaged: Ended

type Ended = Awaited<ReturnType<typeof pack>>

async function pack(...args: readonly string[]) {
  const events: Event[] = []
  const said = () =>
    events.flatMap((event) => {
      if (event.event === 'note') return [event.text]
      if (event.event === 'table') return tableLines(event.columns, event.rows)
      return event.event === 'done' ? (event.next ?? []).map(({ text }) => text) : []
    })
  try {
    const options = await parsePackage([...args, '--threads', '1'])
    if (!options) throw new Error('no options')
    const exitCode = await runPackage(options, (event) => events.push(event), new AbortController().signal)
    return { text: said().join('\n'), exitCode }
  } catch (error) {
    const { message, exitCode } = describeError(error)
    return { text: [...said(), message].join('\n'), exitCode }
  }
}

/** As the pipeline measures FP32, on a few of the bundled clips. */
async function evaluateSome(): Promise<void> {
  const speech = join(root, 'clips')
  const rows = await bundledRows(3)
  for (const { file } of rows) await cp(join(BUNDLED_SPEECH, file), join(speech, file))
  await writeFile(join(speech, 'manifest.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
  await evaluateStage.run({
    options: {
      ...{ family: 'aligner', speech, variants: ['fp32'], providers: ['cpu'], threads: 1, force: false },
    },
    ...{ name: NAME, known: {}, paths: pathsOf(root, NAME), emit: () => undefined },
    signal: new AbortController().signal,
  } as unknown as Run)
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-aligner-release-'))
  model = join(root, NAME)
  release = join(model, 'release')
  await execa('cp', ['-a', (await sharedAligner()).folder, model])
  await rm(join(model, '.work', 'lock'), { force: true })
  unmeasured = await pack(model, '--variants', 'fp32')
  await evaluateSome()
  packaged = await pack(model, '--variants', 'fp32')
})

afterAll(() => rm(root, { recursive: true, force: true }))

describe('the release of a forced aligner', () => {
  it('is refused until its times were measured, and where its gates have failed', async () => {
    expect(unmeasured).toEqual({
      text: `${model} is not packaged: Not measured: time error of fp32 (cpu, aligner).`,
      exitCode: 3,
    })
    const int4 = await pack(model, '--variants', 'int4')
    expect(int4.text).toContain('Not measured: added time error of int4 (cpu, aligner with int8 prompts).')
    expect(int4.text).toMatch(
      /Failed: slots moved of int4 \(cpu, aligner with int8 prompts\) is 0\.\d+, wanted/,
    )
    expect(int4.exitCode).toBe(3)
  })

  it('holds what stands alone, is described by its manifest, and says how it is used', async () => {
    expect(packaged.text).toContain(`npm run align -- recording.wav text.txt --model-dir ${model}`)
    expect(packaged.exitCode).toBe(0)
    const { stdout } = await execa('tar', ['-tzf', join(release, `${NAME}.tar.gz`)])
    expect(stdout.split('\n').filter((path) => !path.endsWith('/'))).toEqual(
      FILES.map((file) => `${NAME}/${file}`),
    )
    const manifest = await readManifest(release)
    expect(JSON.parse(await readFile(join(release, 'manifest.json'), 'utf8'))).toEqual(manifest)
    expect((await publishedValidator('manifest'))(manifest)).toEqual([])
    expect(manifest).toMatchObject({ family: 'aligner', ungated: [], fidelity: [] })
    const roles = Object.fromEntries(manifest.files.map(({ path, role }) => [path, role]))
    expect(roles).toMatchObject({
      ...{ 'aligner.onnx': 'aligner', 'aligner_weights.data': 'weights', 'encoder.onnx': 'encoder' },
      ...{ 'times.svg': 'documentation', 'README.md': 'documentation' },
    })
    expect(roles).not.toHaveProperty('fidelity.svg')
    const [test] = manifest.selfTests
    expect(test).toMatchObject({ variant: 'fp32', text: 'One seven zero two nine two.' })
    expect(test?.words?.map(({ text }) => text)).toEqual(['One', 'seven', 'zero', 'two', 'nine', 'two.'])
    const [measured] = manifest.evaluation
    expect(measured?.results[0]).toMatchObject({ system: 'fp32', utterances: 3, wer: null })
    expect(measured?.results[0]?.times?.all.edges).toBeGreaterThan(20)
  })

  it('has its own languages, and the prompt of the very tokenizer', async () => {
    const card = await readFile(join(release, 'README.md'), 'utf8')
    const { language } = parse(card.split('---\n')[1] ?? '')
    expect(language.toSorted()).toEqual(['de', 'en', 'es', 'fr', 'it', 'ja', 'ko', 'pt', 'ru', 'yue', 'zh'])
    const [, start = '', pad = '', rest = ''] =
      /`(\[\d+\])`, N times `(\d+)`, `(\[[\d,]+\])`/.exec(card) ?? []
    const script = `
import json, sys
from tokenizers import Tokenizer
print(json.dumps(Tokenizer.from_file(sys.argv[1]).encode(sys.argv[2], add_special_tokens=False).ids))`
    const slots = '<timestamp><timestamp>'
    const text = `<|audio_start|><|audio_pad|><|audio_end|>hello${slots}world${slots}`
    const { stdout } = await execa(await stagePython(), ['-c', script, join(model, 'tokenizer.json'), text])
    expect([...JSON.parse(start), Number(pad), ...JSON.parse(rest)]).toEqual(JSON.parse(stdout))
  })

  it('is right as a folder and as an archive, until its times are others', async () => {
    const whole = await pack('verify', model)
    expect(whole.text).toMatch(/fp32 aligns +pass +One \d\.\d\d, seven \d\.\d\d/)
    expect(whole.exitCode).toBe(0)
    const keep = join(root, 'kept')
    const archive = await pack('verify', join(release, `${NAME}.tar.gz`), '--keep', keep)
    expect(archive.text).toContain(`--model-dir ${join(keep, 'unpacked')}`)
    expect(archive.exitCode).toBe(0)
    const manifest = await readManifest(release)
    const [test] = manifest.selfTests
    const late = test?.words?.map(({ text, start, end }) => ({ text, start: start + 0.2, end: end + 0.2 }))
    const other = join(root, 'other.json')
    const changed = { ...manifest, selfTests: [{ ...test, words: late }] }
    await cp(join(release, `${NAME}.tar.gz`), join(root, `${NAME}.tar.gz`))
    await writeFile(other, JSON.stringify(changed))
    await cp(other, join(root, 'manifest.json'))
    const moved = await pack('verify', join(root, `${NAME}.tar.gz`))
    expect(moved.text).toMatch(/fp32 says One \d\.\d\d, .*, recorded is One \d\.\d\d, /)
    expect(moved.exitCode).toBe(3)
  })

  it('is published with a card that the hub takes, once', async () => {
    const hub = await modelHub()
    const send = () =>
      publish({
        ...{ hub: { url: hub.url, token: hub.token }, folder: model, repo: REPO, branch: 'main' },
        ...{ isPrivate: false, createPr: false, mirror: false, archives: true, useXet: false },
        ...{ allowUngated: false, dryRun: false, confirm: async () => true, emit: () => undefined },
        signal: new AbortController().signal,
      })
    const { outcome, receipt } = await send()
    expect(outcome).toBe('published')
    expect(receipt).toMatchObject({ commit: hub.head(REPO), verified: { readBack: 'sample' } })
    const sent = receipt?.files.map(({ path }) => path)
    expect(sent).toEqual(expect.arrayContaining([...FILES, 'times.svg', `${NAME}.tar.gz`, 'SHA256SUMS']))
    expect((await send()).outcome).toBe('nothing to do')
    const env = { HF_ENDPOINT: hub.url, HF_TOKEN: hub.token, HF_HOME: '/nonexistent' }
    const args = ['verify', '--from-hub', REPO, '--against', model, '--threads', '1']
    const verified = await runCli(args, env, 'package')
    expect(verified.stdout).toMatch(/fp32 aligns +pass/)
    expect(verified.stdout).toMatch(/same as local +pass +\d+ files the same, 0 differences/)
    expect(verified.exitCode).toBe(0)
  })
})
