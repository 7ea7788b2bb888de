// SPDX-License-Identifier: Apache-2.0

import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { RunDescription } from '../../eval/run-description.ts'
import { type GateResult, gateResult } from '../../pipeline/release/gate-result.ts'
import type { Manifest } from '../../pipeline/release/manifest-schema.ts'
import { requiredFigures } from '../../pipeline/release/required-gates.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { packageHere } from '../helpers/package-here.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

const BOTH = ['cpu', 'webgpu']
const DEVICE = 'libvk_swiftshader.so, a device in software'
const TEXTS = 'other transcripts'
/** Archives are not what is looked at here. */
const QUICK = ['--variants', 'int4', '--level', '1']

async function editJson<T>(path: string, edit: (value: T) => T): Promise<void> {
  await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')))))
}

/** A release that is said to run on both, as the pipeline leaves it before it packages. */
async function validatedForBoth(): Promise<string> {
  const model = await copyTinyRelease()
  await editJson<object>(join(model, '.work', 'provenance.json'), (all) => ({ ...all, providers: BOTH }))
  await editGates(model, (gates) => [
    ...gates,
    ...requiredFigures({ variants: ['fp32', 'int4'], providers: BOTH, prefillInt8: true })
      .filter(({ provider }) => provider === 'webgpu')
      .map(({ variant, provider, limit = null, against: _, ...figure }) => {
        const own = gates.find((gate) => gate.variant === variant)?.fingerprints ?? {}
        return gateResult({ ...figure, found: 0, limit, clips: 70 }, variant, provider, own)
      }),
  ])
  await editJson<object>(join(model, '.work', 'parity.json'), (all) => ({
    ...all,
    devices: [{ provider: 'webgpu', device: DEVICE }],
  }))
  return model
}

async function editGates(model: string, edit: (gates: GateResult[]) => GateResult[]): Promise<void> {
  await editJson<{ gates: GateResult[] }>(join(model, '.work', 'parity.json'), ({ gates, ...rest }) => ({
    ...rest,
    gates: edit(gates),
  }))
}

async function published(model: string): Promise<{ card: string; manifest: Manifest; sums: string }> {
  const text = (name: string) => readFile(join(model, 'release', name), 'utf8')
  const [card, manifest, sums] = await Promise.all(['README.md', 'manifest.json', 'SHA256SUMS'].map(text))
  return { card: card ?? '', manifest: JSON.parse(manifest ?? ''), sums: sums ?? '' }
}

const right = (name: string) => ({ name, verdict: 'right', isTested: true })

it('a release claims the providers that it was validated for, with figures of these alone', async () => {
  const [alone, both] = [await copyTinyRelease(), await validatedForBoth()]
  const { manifest: before, card: usual } = await published(alone)
  expect(before.providers).toEqual([right('cpu')])
  expect(usual).toContain('\nExecution providers: cpu: right.\n')
  expect(usual).not.toContain('webgpu')
  const out = join(await temporaryFolder(), 'by-webgpu')
  await cp(join(both, '.work', 'evaluation'), out, { recursive: true })
  await editJson<RunDescription>(join(out, 'run.json'), ({ systems, ...rest }) => ({
    ...rest,
    systems: systems.map((one) => ({
      ...one,
      settings: { ...one.settings, provider: 'webgpu', prefill: 'same' },
    })),
  }))
  const refused = await packageHere([alone, '--evaluation', out])
  expect(refused.stdout).toBe(
    `error: The evaluation in ${out} measured fp32 on webgpu, which the release is not validated for.
hint: Validate it: npm run pipeline with --providers cpu,webgpu. Or measure on cpu.`,
  )
  expect(refused.exitCode).toBe(3)
  expect(await packageHere([both, ...QUICK, '--evaluation', out])).toMatchObject({ exitCode: 0 })
  const { card, manifest } = await published(both)
  expect(manifest.providers).toEqual([right('cpu'), { ...right('webgpu'), device: DEVICE }])
  expect(manifest.ungated).toEqual([])
  expect(card).toContain(`\nExecution providers: cpu: right, webgpu: right on ${DEVICE}.\n`)
  expect(card).toContain('| other transcripts | int4 | webgpu, fused | 0.00 % | 3.00 % | pass | 70 clips |')
  const systems = manifest.evaluation.map(({ results }) => results.map(({ system }) => system))
  expect(systems).toEqual([['int4'], ['int4@webgpu']])
  expect(card).toMatch(/^\| int4@webgpu \| \d\.\d\d % \|/m)
})

it('a claim is refused whose transcripts differ or were not compared, and is not called right when forced', async () => {
  const model = await validatedForBoth()
  const { sums } = await published(model)
  const isTexts = ({ gate, variant }: GateResult) => gate === TEXTS && variant === 'int4'
  const refusal = async (edit: (gate: GateResult) => GateResult[]) => {
    await editGates(model, (gates) => gates.flatMap((gate) => (isTexts(gate) ? edit(gate) : [gate])))
    const { stdout, exitCode } = await packageHere([model])
    expect(exitCode).toBe(3)
    expect((await published(model)).sums).toBe(sums) // the older release stays
    return stdout
  }
  const failed = 'Failed: other transcripts of int4 (webgpu, fused) is 0.9, wanted at most 0.03.'
  expect(await refusal((gate) => [{ ...gate, found: 0.9, pass: false }])).toContain(failed)
  expect(await refusal((gate) => [{ ...gate, pass: true }])).toContain(failed) // as somebody may edit it
  const missing = 'Not measured: other transcripts of int4 (webgpu, fused).'
  expect(await refusal(() => [])).toContain(missing)
  expect((await packageHere([model, ...QUICK, '--allow-ungated'])).exitCode).toBe(0)
  const { card, manifest } = await published(model)
  expect(manifest.ungated).toEqual([missing])
  expect(manifest.providers).toEqual([right('cpu'), { ...right('webgpu'), verdict: 'not measured' }])
  expect(card).toContain('\nExecution providers: cpu: right, webgpu: not measured.\n')
})
