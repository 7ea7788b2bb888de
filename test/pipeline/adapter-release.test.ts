// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandOf } from '../../pipeline/release/command.ts'
import { copyAdapter } from '../helpers/adapters.ts'
import { editJson, TINY } from '../helpers/checkpoint.ts'
import { runCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const MERGING = /Merging the adapter: 19 tensors, [\d.]+ [kM]B in/

/** Weak enough that the tiny model still writes words. */
const ALPHA = 0.3

/** Two runs of the pipeline. */
const MINUTES = 15 * 60_000

describe('the release of an adapter', () => {
  it(
    'gives the tokens of PyTorch on the merged weights, names both models, and leaves no merged weights',
    async () => {
      const folder = await temporaryFolder()
      const adapter = await copyAdapter(folder, 'plain', 'My-Swiss')
      await writeFile(join(adapter, 'README.md'), '---\nlicense: cc-by-nc-4.0\nlanguage: gsw\n---\n')
      await editJson(adapter, 'adapter_config.json', (config) => ({
        ...config,
        ...{ lora_alpha: ALPHA, base_model_name_or_path: TINY },
      }))
      const run = (args: readonly string[]) =>
        runCli(['--model', adapter, '--output', folder, '--variants', 'fp32', ...args])
      const work = join(folder, 'my-swiss', '.work')

      const made = await run(['--until', 'validate'])
      expect(made.stdout).toContain(
        'A LoRA adapter of rank 4, alpha 0.3, on qwen3-asr-tiny: it changes 19 of 96 tensors',
      )
      expect(made.stdout).toMatch(MERGING)
      expect(made).toMatchObject({ exitCode: 0 })
      expect(await readdir(work)).not.toContain('adapter')
      const report = JSON.parse(await readFile(join(folder, 'my-swiss', 'report.json'), 'utf8'))
      expect(report.parity.verdict).toBe('pass')
      expect(report.parity.gates.length).toBeGreaterThan(2)

      const provenance = JSON.parse(await readFile(join(work, 'provenance.json'), 'utf8'))
      const sums = (names: readonly string[]) =>
        names.map((file) => ({ file, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }))
      expect(provenance).toMatchObject({
        ...{ model: 'My-Swiss', flag: 'path/to/My-Swiss', license: 'cc-by-nc-4.0', languages: ['gsw'] },
        checkpoint: expect.arrayContaining(sums(['model.safetensors'])),
        adapter: {
          base: { model: 'qwen3-asr-tiny', flag: 'path/to/qwen3-asr-tiny' },
          ...{ rank: 4, alpha: ALPHA, files: sums(['adapter_config.json', 'adapter_model.safetensors']) },
        },
      })
      expect(commandOf({ provenance } as Parameters<typeof commandOf>[0], 'my-swiss')).toBe(
        'npm run pipeline -- --model path/to/My-Swiss --base path/to/qwen3-asr-tiny --variants fp32',
      )

      const again = await run(['--until', 'validate'])
      expect(again.stdout).not.toMatch(MERGING)
      expect(again.stdout).toContain('[validate] skipped: nothing it depends on has changed')
    },
    MINUTES,
  )
})
