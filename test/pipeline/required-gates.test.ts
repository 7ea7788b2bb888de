// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { type GateResult, gateResult } from '../../pipeline/release/gate-result.ts'
import { claimSentence, providerClaims } from '../../pipeline/release/provider-claims.ts'
import { type Claim, gateProblems, proofsOf, requiredFigures } from '../../pipeline/release/required-gates.ts'
import { VARIANTS } from '../../pipeline/variants.ts'

const CLAIM = { variants: ['fp32', 'int4'], providers: ['cpu'], prefillInt8: true }
const ALONE = { ...CLAIM, variants: ['int4'] }
const NOW = { fp32: 'aaaa', int4: 'bbbb' }

/** Results that prove a release. */
function proof(): GateResult[] {
  return requiredFigures(CLAIM).map(({ variant, provider, limit = null, against: _, ...figure }) =>
    gateResult({ ...figure, found: 0, limit }, variant, provider, NOW),
  )
}

function problems(change: (results: GateResult[]) => void, claim = CLAIM): string[] {
  const results = proof()
  change(results)
  return problemsOf(claim, results)
}

function problemsOf(claim: Claim, results: readonly GateResult[]): string[] {
  return gateProblems(claim, proofsOf(claim, results, NOW))
}

function edit(results: GateResult[], gate: string, changes: Partial<GateResult>): void {
  const i = results.findIndex((result) => result.gate === gate)
  results[i] = { ...(results[i] as GateResult), ...changes }
}

it('a release is proved by a passing result for every figure, on its own files', () => {
  expect(problems(() => undefined)).toEqual([])
  expect(problems(() => undefined, ALONE)).toEqual([])
})

it('each result that is left out is missed by name', () => {
  for (const [i, required] of requiredFigures(CLAIM).entries()) {
    const [found, ...others] = problems((results) => results.splice(i, 1))
    expect(found).toMatch(/^Not measured: /)
    expect(found).toContain(`${required.gate} of ${required.variant} (cpu, ${required.layout}`)
    expect(others).toEqual([])
  }
})

it.each<[string, string, Partial<GateResult>]>([
  ['Failed: mel of fp32 (cpu, fused) is 0, wanted at most 0.0001.', 'mel', { pass: false }],
  ['Failed: mel of fp32 (cpu, fused) is 1, wanted at most 0.0001.', 'mel', { found: 1 }],
  ['Failed: mel of fp32 (cpu, fused) is not a number, wanted at most 0.0001.', 'mel', { found: null }],
  ['Measured with a looser limit than that of today: mel of fp32 (cpu, fused).', 'mel', { limit: 1 }],
  ['Measured with a looser limit than that of today: mel of fp32 (cpu, fused).', 'mel', { limit: null }],
  ['Not measured: mel of fp32 (cpu, fused).', 'mel', { provider: 'webgpu' }],
  ['Not measured: mel of fp32 (cpu, fused).', 'mel', { variant: 'q8' }],
  ['Other files of fp32 were measured than these.', 'mel', { fingerprints: { fp32: 'cccc' } }],
  ['Other files of fp32 were measured than these.', 'mel', { fingerprints: {} }],
  ['Other files of fp32 were measured than these.', 'added WER', { fingerprints: { int4: 'bbbb' } }],
])('%s', (sentence, gate, changes) => {
  expect(problems((results) => edit(results, gate, changes))).toEqual([sentence])
})

it('each provider but the processor is proved by its transcripts too, of every variant, in the fused layout alone', () => {
  const claim = { ...CLAIM, variants: Object.keys(VARIANTS), providers: ['cpu', 'webgpu'] }
  const figures = requiredFigures(claim)
  const texts = figures.filter(({ gate }) => gate === 'other transcripts')
  expect(texts.map(({ variant }) => variant)).toEqual(claim.variants)
  expect(new Set(texts.map(({ provider, limit }) => `${provider} ${limit}`))).toEqual(
    new Set(['webgpu 0.03']),
  )
  expect(figures.filter(({ provider, layout }) => provider === 'webgpu' && layout === 'split')).toEqual([])
  const both = { ...CLAIM, providers: ['cpu', 'webgpu'] }
  const all = requiredFigures(both).map(({ variant, provider, limit = null, against: _, ...figure }) => {
    const isGarbage = figure.gate === 'other transcripts' && variant === 'int4'
    return gateResult({ ...figure, found: isGarbage ? 0.9 : 0, limit }, variant, provider, NOW)
  })
  expect(problemsOf(both, all)).toEqual([
    'Failed: other transcripts of int4 (webgpu, fused) is 0.9, wanted at most 0.03.',
  ])
  const claimed = { ...both, providers: [...both.providers, 'cuda'] }
  const devices = [
    { provider: 'webgpu', device: 'A or B' },
    { provider: 'cuda', device: 'C' },
  ]
  const claims = providerClaims(claimed, proofsOf(claimed, all, NOW), devices)
  expect(claims).toEqual([
    { name: 'cpu', verdict: 'right', isTested: true },
    { name: 'webgpu', verdict: 'wrong', device: 'A or B', isTested: true },
    { name: 'cuda', verdict: 'not measured', isTested: false },
  ])
  expect(claimSentence(claims)).toBe(
    'Execution providers: cpu: right, **webgpu: WRONG, do not use it** on A or B, cuda: not measured (the project itself has never tested it).',
  )
})

it.each<[string, (result: GateResult) => GateResult[]]>([
  ['is missing', () => []],
  ['had a looser limit', (result) => [{ ...result, limit: 1 }]],
  ['is of other files', (result) => [{ ...result, fingerprints: { ...NOW, int4: 'cccc' } }]],
])('a provider is not right when the figure of its transcripts %s', (_, change) => {
  const claim = { ...CLAIM, providers: ['cpu', 'webgpu'] }
  const results = requiredFigures(claim).flatMap(
    ({ variant, provider, limit = null, against: __, ...figure }) => {
      const result = gateResult({ ...figure, found: 0, limit }, variant, provider, NOW)
      return figure.gate === 'other transcripts' && variant === 'int4' ? change(result) : [result]
    },
  )
  const verdicts = providerClaims(claim, proofsOf(claim, results, NOW)).map(({ verdict }) => verdict)
  expect(verdicts).toEqual(['right', 'not measured'])
})

it('a failed result beside one that passes is not passed over', () => {
  const twice = (results: GateResult[]) => results.push({ ...(results[0] as GateResult), found: 1 })
  expect(problems(twice)).toEqual(['Failed: mel of fp32 (cpu, fused) is 1, wanted at most 0.0001.'])
})

it('an added error rate was found with FP32, whose files count where int4 is packaged alone too', () => {
  const other = { fingerprints: { ...NOW, fp32: 'cccc' } }
  const change = (results: GateResult[]) => edit(results, 'added WER', other)
  expect(problems(change, ALONE)).toEqual(['Other files of fp32 were measured than these.'])
})

it('a forced aligner is proved by its own gates, and has no variants but those that have such', () => {
  const claim = { ...CLAIM, family: 'aligner' as const, variants: ['fp32', 'int4', 'int4-hq'] }
  const figures = requiredFigures(claim)
  const slots = figures.filter(({ layout }) => layout === 'aligner')
  expect(slots).toEqual(figures)
  const named = (variant: string) => figures.filter((one) => one.variant === variant).map(({ gate }) => gate)
  expect(named('fp32')).toEqual(expect.arrayContaining(['mel', 'slot logits', 'slot classes', 'slot times']))
  expect(named('fp32')).not.toContain('WER')
  expect(named('int4')).toEqual(expect.arrayContaining(['slots moved', 'mean move']))
  expect(problems(() => undefined, claim)).toEqual([
    'int4-hq has no gates: nothing proves it.',
    `Not measured: any of the ${figures.length} gates.`,
  ])
})

it('a variant of which nothing has to be found is not proved', () => {
  const claim = { ...CLAIM, providers: [] }
  expect(problems(() => undefined, claim)).toEqual([
    'fp32 has no gates: nothing proves it.',
    'int4 has no gates: nothing proves it.',
  ])
})

it('no variant of the table has weights of 2 bits, which lose too much: they are for trials', () => {
  const formats = Object.values(VARIANTS).flatMap(({ recipe }) => [
    ...(recipe?.decoder ?? []).map(([, format]) => format),
    ...(recipe?.encoder ?? []).map(([, format]) => format),
  ])
  expect(formats).toContain('q4b64')
  expect(formats.filter((format) => format.startsWith('q2'))).toEqual([])
})
