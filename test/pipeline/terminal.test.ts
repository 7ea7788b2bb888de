import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { runInTerminal } from '../helpers/terminal.ts'

const NAME = 'qwen3-asr-tiny'

describe('the live view on a terminal', () => {
  it('redraws one line a stage with time and progress; Ctrl-C stops everything and says how to go on', async () => {
    const output = await temporaryFolder()
    const seen = new Set<string>()
    const first = await runInTerminal(['--model', 'tiny', '--output', output, '--until', 'rewrite'], {
      onScreen: (lines) => {
        for (const line of lines) seen.add(line)
      },
    })
    expect(first.exitCode).toBe(0)
    expect(first.screen[0]).toBe(`tiny -> ${join(output, NAME)}`)
    expect(first.screen.slice(-3)).toEqual([
      expect.stringMatching(/^\+ export {4}(\d+\.\d s|\d+ min \d\d s)$/),
      expect.stringMatching(/^\+ rewrite {3}(\d+\.\d s|\d+ min \d\d s)$/),
      expect.stringMatching(/^Done in (\d+\.\d s|\d+ min \d\d s)\. The model is in /),
    ])
    const shown = [...seen].join('\n')
    expect(shown).toMatch(/^[-\\|/] export {4}\d+\.\d s +.*encoder graph: 0 of 1 graphs \(0 %\)/m)
    expect(shown).toMatch(/^ {2}rewrite$/m) // waiting
    // Redrawn, not repeated: one line for each stage is left.
    expect(first.screen.filter((line) => /^. (export|rewrite) /.test(line)).length).toBe(2)

    // A release of which everything up to the quantized graphs is there.
    const other = await temporaryFolder()
    await execa('cp', ['-a', join(await sharedReleases(), NAME), other]) // with times to the nanosecond, as stamps want
    await rm(join(other, NAME, '.work', 'stamps', 'validate.json'))
    let pressed = false
    const stopped = await runInTerminal(['--model', 'tiny', '--output', other], {
      columns: 60,
      onScreen: (lines, press) => {
        if (pressed || !lines.some((line) => /^[-\\|/] validate .*reference: \d+ of \d+ clips/.test(line)))
          return
        pressed = true
        press('\u0003')
      },
    })
    expect(stopped.exitCode).toBe(130)
    expect(stopped.screen).toEqual(
      expect.arrayContaining([
        '= export    unchanged',
        '= rewrite   unchanged',
        expect.stringMatching(/^x validate {2}\d+\.\d s/),
        '  package',
        'error: Stopped.',
        'hint: Run the same command again: finished stages are kept.',
      ]),
    )
    const { stdout: processes } = await execa('ps', ['-eo', 'args'])
    expect(processes.split('\n').filter((line) => line.includes(output) || line.includes(other))).toEqual([])
  })
})
