// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { bar, scanLines } from '../../pipeline/lab/scan-text.ts'
import type { WeightCost, WeightScan } from '../../pipeline/lab/scan-weights.ts'

const ROLES = ['q', 'k', 'v', 'o', 'gate', 'up', 'down']

function weight(layer: number, role: string, kld: number): WeightCost {
  return { name: `layers.${layer}.${role}`, layer, role, kld, bytesLow: 9344, bytesHigh: 17664 }
}

/** Layer 0 falls from 7e-4 to 1e-4; layer 1 is a hundredth of it, and its last weight costs nothing. */
const SCAN: WeightScan = {
  ...{ method: 'scan', low: 'q4b64', high: 'q8b64' },
  weights: [
    ...ROLES.map((role, i) => weight(0, role, (7 - i) * 1e-4)),
    ...ROLES.map((role, i) => weight(1, role, i === 6 ? -1e-9 : (7 - i) * 1e-6)),
    { name: 'lm_head', layer: null, role: 'lm_head', kld: 28e-4, bytesLow: 32704, bytesHigh: 61824 },
  ],
  choices: [
    { share: 0.1, names: ['layers.0.k', 'layers.0.q'] },
    { share: 0.25, names: ['layers.1.q', 'lm_head', 'layers.0.q'] },
    { share: 0.5, names: [] },
  ],
  calibration: { name: 'calibration', clips: 16, positions: 900 },
}

describe('the lines of a scan', () => {
  it('fit 60 columns', () => {
    expect(scanLines(SCAN, 60)).toEqual([
      'KLD from FP32 (nats) of each decoder weight in q4b64, one',
      'weight at a time, on 16 clips of calibration (900',
      'positions).',
      '',
      '  layer q      k      v      o      gate   up     down',
      '      0 ██████ █████▏ ████▎  ███▍   ██▋    █▊     ▉',
      '      1 ·      ·      ·      ·      ·      ·      ·',
      '  A full bar is 0.00070 nats.',
      '',
      '  most costly          KLD    q4b64     q8b64',
      '  lm_head           0.0028  32.7 kB  +29.1 kB  █████████████',
      '  layers.0.q       0.00070  9.34 kB  +8.32 kB  ███▎',
      '  layers.0.k       0.00060  9.34 kB  +8.32 kB  ██▊',
      '  layers.0.v       0.00050  9.34 kB  +8.32 kB  ██▍',
      '  layers.0.o       0.00040  9.34 kB  +8.32 kB  █▉',
      '  layers.0.gate    0.00030  9.34 kB  +8.32 kB  █▍',
      '  layers.0.up      0.00020  9.34 kB  +8.32 kB  ▉',
      '  layers.0.down    0.00010  9.34 kB  +8.32 kB  ▌',
      '  layers.1.q     0.0000070  9.34 kB  +8.32 kB  ·',
      '  layers.1.k     0.0000060  9.34 kB  +8.32 kB  ·',
      '',
      'Chosen for q8b64:',
      '  auto:10% 2 of 15, +16.6 kB, 23 % of the KLD',
      '    q 0; k 0',
      '  auto:25% 3 of 15, +45.8 kB, 62 % of the KLD',
      '    q 0-1; lm_head',
      '  auto:50% chooses no weight.',
    ])
  })
  it('use 80 columns, and no more in a file', () => {
    const lines = scanLines(SCAN, 80)
    expect(lines).toContain('      0 █████████ ███████▊  ██████▍   █████▏    ███▉      ██▋       █▎')
    expect(lines).toContain(`  lm_head           0.0028  32.7 kB  +29.1 kB  ${'█'.repeat(33)}`)
    expect(lines).toContain(`  layers.0.q       0.00070  9.34 kB  +8.32 kB  ${'█'.repeat(8)}▎`)
    expect(scanLines(SCAN, Number.POSITIVE_INFINITY)).toEqual(lines)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80)
  })

  it('fit with the many weights of 28 layers', () => {
    const weights = Array.from({ length: 28 }, (_, layer) =>
      ROLES.map((role, i) => weight(layer, role, 1e-3 / (1 + layer + i))),
    ).flat()
    const names = weights.filter((_, i) => i % 2 === 0).map(({ name }) => name)
    const lines = scanLines({ ...SCAN, weights, choices: [{ share: 0.5, names }] }, 60)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60)
    expect(lines.filter((line) => /^ +\d+ [^ \w]/.test(line))).toHaveLength(28)
  })
})

it.each([
  [0, 1, 4, '·'],
  [1, 32, 4, '▏'],
  [1, 65, 4, '·'],
  [0.5, 1, 4, '██'],
  [1, 1, 4, '████'],
  [0, 0, 4, '·'],
])('a bar of %d of %d in %d columns', (value, highest, columns, drawn) => {
  expect(bar(value, highest, columns)).toBe(drawn)
})
