// SPDX-License-Identifier: Apache-2.0

import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import {
  type Aligner,
  align,
  loadAligner,
  releaseAligner,
  slotTimes,
} from '../../eval/runtime/aligner/aligner.ts'
import { alignerPrompt } from '../../eval/runtime/aligner/aligner-prompt.ts'
import { startAligner } from '../../eval/runtime/aligner-thread.ts'
import { openEmbeddings } from '../../eval/runtime/embeddings.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import { InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { loadRecognizer } from '../../eval/runtime/recognizer.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { contractProblems, missingGraphs } from '../../graph-tools/contract.ts'
import { openModel } from '../../graph-tools/model.ts'
import { run } from '../../pipeline/commands/align-command.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { releaseProblems } from '../../pipeline/release/contract-problems.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedAligner } from '../helpers/prepared.ts'

const CLASSES = 252
const HIDDEN = 128

let folder = ''
let printed = ''

beforeAll(async () => {
  const shared = await sharedAligner()
  folder = shared.folder
  printed = shared.printed
})

type Config = { readonly aligner: object }

/** The files of the release, for a test to change. */
async function aCopy(): Promise<string> {
  const copy = await temporaryFolder()
  await cp(folder, copy, { recursive: true, filter: (path) => !path.includes('.work') })
  return copy
}

const noise = (seconds: number, seed = 1) => {
  const random = seededRandom(seed)
  return Float32Array.from({ length: seconds * 16_000 }, () => 0.2 * (random() - 0.5))
}

async function using<T>(
  options: { variant: string; prefill?: 'int8' | 'same' },
  use: (aligner: Aligner) => Promise<T>,
) {
  const aligner = await loadAligner(folder, { threads: 1, ...options })
  try {
    return await use(aligner)
  } finally {
    await releaseAligner(aligner)
  }
}

describe('the release of a forced aligner', () => {
  it('has its own graphs, weights and table, and nothing of speech recognition', async () => {
    const names = (await readdir(folder)).filter((name) => /\.(onnx|data|bin)$|prefill/.test(name))
    expect(names.sort()).toEqual([
      'aligner.int4.onnx',
      'aligner.onnx',
      'aligner_prefill.int4.json',
      'aligner_prefill.int4.onnx',
      'aligner_weights.data',
      'aligner_weights.int4.data',
      'embed_tokens.bin',
      'encoder.int4.onnx',
      'encoder.onnx',
    ])
  })

  it('keeps the contract, and config.json says how it is run', async () => {
    expect(await releaseProblems(folder)).toEqual([])
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
    expect(config.aligner).toMatchObject({
      ...{ classes: CLASSES, segment_ms: 80, timestamp_token_id: 448, max_seconds: 20.08 },
      languages: expect.arrayContaining(['English', 'Japanese']),
      inputs: { input_embeds: { shape: ['B', 'S', HIDDEN] }, input_lengths: {}, slots: { type: 'int64' } },
      outputs: { logits: { shape: ['B', 'T', CLASSES] } },
      graphs: ['aligner.onnx', 'aligner.int4.onnx'],
      quicker_prompts: ['aligner_prefill.int4.json'],
    })
    expect(config.decoder).not.toHaveProperty('fused')
    expect(config.quantization['aligner.int4']).toMatch(/^lm_head: int8 .*; int4 MatMulNBits/)
  })

  it.each<[string, (config: Config) => object, string]>([
    [
      'the number of classes is another',
      (config) => ({ ...config, aligner: { ...config.aligner, classes: 5000 } }),
      `config.json: aligner.classes is 5000, wanted ${CLASSES}, as in aligner.onnx.`,
    ],
    [
      'the token of slots is another',
      (config) => ({ ...config, aligner: { ...config.aligner, timestamp_token_id: 447 } }),
      'config.json: aligner.timestamp_token_id is 447, wanted 448, the id of <timestamp> in tokenizer.json.',
    ],
    [
      'nothing says what slots mean',
      ({ aligner: _, ...config }) => config,
      'config.json: aligner is missing, wanted what the slots of aligner.int4.onnx and aligner.onnx mean.',
    ],
  ])('is refused where %s', async (_, edit, problem) => {
    const copy = await aCopy()
    const config = JSON.parse(await readFile(join(copy, 'config.json'), 'utf8'))
    await writeFile(join(copy, 'config.json'), JSON.stringify(edit(config)))
    expect(await releaseProblems(copy)).toContain(problem)
  })

  it('is refused where the head has 4 bits', async () => {
    const copy = await aCopy()
    const bytes = await readFile(join(copy, 'aligner.int4.onnx'))
    const bits = bytes.lastIndexOf(Buffer.from('bits\x18\x08')) // AttributeProto: name, then i
    bytes[bits + 5] = 4
    await rm(join(copy, 'aligner.int4.onnx'))
    await writeFile(join(copy, 'aligner.int4.onnx'), bytes)
    expect(await releaseProblems(copy)).toContainEqual(
      expect.stringMatching(/^aligner\.int4\.onnx has a head of 4 bits \(.*\), wanted at least 8\.$/),
    )
  })

  it('lacks graphs of its own kind, in one precision at least', () => {
    expect(missingGraphs(['aligner.onnx'])).toEqual(['encoder.onnx'])
    expect(missingGraphs(['aligner.int4.onnx', 'encoder.fp16.onnx'])).toEqual(['encoder.int4.onnx'])
    expect(missingGraphs(['encoder.onnx', 'aligner.int4.onnx', 'aligner_prefill.int4.onnx'])).toEqual([])
    expect(missingGraphs(['encoder.onnx'])).toEqual(['decoder_init.onnx', 'decoder_step.onnx'])
  })

  it('is refused where a graph has other inputs', async () => {
    const encoder = openModel(join(folder, 'encoder.onnx'))
    expect(contractProblems('aligner.onnx', encoder)).toEqual(
      expect.arrayContaining([
        'has no input slots, wanted int64 [b, t]',
        'has no output logits, wanted float32 [b, t, C]',
      ]),
    )
  })

  it('is another kind than speech recognition, which says so', async () => {
    await expect(loadRecognizer(folder, { threads: 1 })).rejects.toThrow(
      `${folder} holds a forced aligner, wanted a speech recognition model.`,
    )
    expect((await openRelease(folder)).family).toBe('aligner')
  })
})

describe('the gates of a forced aligner', () => {
  const rowOf = (gate: string, variant: string) =>
    printed.split('\n').filter((line) => new RegExp(`^\\s+${gate}\\s+${variant}\\s`).test(line))

  it('find FP32 as transformers computes it, from the spectrogram to the times', async () => {
    const { parity } = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))
    const own = parity.gates.filter(({ variant }: { variant: string }) => variant === 'fp32')
    expect(own.map(({ gate, pass }: { gate: string; pass: boolean }) => [gate, pass])).toEqual(
      ['mel', 'features', 'units', 'prompt ids', 'slot logits', 'slot classes', 'slot times'].map((gate) => [
        gate,
        true,
      ]),
    )
    const exact = own.filter(({ unit }: { unit: string }) => unit === 'count')
    expect(exact.map(({ found, clips }: { found: number; clips: number }) => [found, clips])).toEqual(
      Array.from({ length: 4 }, () => [0, 84]),
    )
    expect(own[4].found).toBeLessThan(1e-4)
  })

  it('judge each way of int4 by slots that moved, and stop the pipeline', () => {
    expect(rowOf('slots moved', 'int4')).toHaveLength(2)
    expect(rowOf('mean move', 'int4').every((line) => / ms /.test(line) && line.includes('FAIL'))).toBe(true)
    expect(printed).toMatch(
      /error: The parity gate failed: 4 of 11 results, first slots moved of int4 \(cpu, aligner with int8 prompts\)/,
    )
  })
})

describe('aligner.onnx', () => {
  it('gives rows of unequal lengths and slots what each gets alone, and looks at nothing behind them', async () => {
    const session = await InferenceSession.create(join(folder, 'aligner.onnx'))
    const random = seededRandom(3)
    const rows = [
      { length: 23, slots: [4, 5, 21, 22] },
      { length: 40, slots: [0, 39] },
      { length: 1, slots: [0] },
    ].map((row) => ({
      ...row,
      embeds: Float32Array.from({ length: row.length * HIDDEN }, () => random() - 0.5),
    }))
    const [longest, most] = [40, 4]
    const embeds = new Float32Array(rows.length * longest * HIDDEN).fill(7)
    const slots = new BigInt64Array(rows.length * most)
    for (const [i, row] of rows.entries()) {
      embeds.set(row.embeds, i * longest * HIDDEN)
      slots.set(row.slots.map(BigInt), i * most)
    }
    const run = async (values: Float32Array, count: number, lengths: number[], places: BigInt64Array) => {
      const { logits } = await session.run({
        input_embeds: new Tensor('float32', values, [count, values.length / count / HIDDEN, HIDDEN]),
        input_lengths: new Tensor('int64', BigInt64Array.from(lengths, BigInt), [count]),
        slots: new Tensor('int64', places, [count, places.length / count]),
      })
      expect(logits?.dims).toEqual([count, places.length / count, CLASSES])
      return logits?.data as Float32Array
    }
    const together = await run(
      embeds,
      rows.length,
      rows.map(({ length }) => length),
      slots,
    )
    for (const [i, row] of rows.entries()) {
      const alone = await run(row.embeds, 1, [row.length], BigInt64Array.from(row.slots, BigInt))
      const own = together.subarray(i * most * CLASSES, i * most * CLASSES + alone.length)
      expect(Math.max(...own.map((value, at) => Math.abs(value - (alone[at] as number))))).toBeLessThan(1e-4)
    }
    await session.release()
  })

  it('has its table beside it, each row as the checkpoint has it', async () => {
    const { config } = await openRelease(folder)
    const table = openEmbeddings(join(folder, 'embed_tokens.bin'), config.embeddingShape)
    const row = new Float32Array(HIDDEN)
    table.read(448, row)
    table.close()
    expect(config.embeddingShape).toEqual([449, HIDDEN])
    expect(Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / HIDDEN)).toBeCloseTo(0.1, 1)
  })

  it('computes int4 with 8-bit products as without, nearly', async () => {
    const features = new Float32Array(20 * HIDDEN).map((_, i) => Math.sin(i))
    const prompt = { ids: [444, ...Array(20).fill(446), 445, 3, 448, 448], audioOffset: 1, slots: [23, 24] }
    const logitsOf = (variant: string, prefill: 'int8' | 'same') =>
      using({ variant, prefill }, ({ graph }) => graph.run(prompt, features))
    const [exact, same, int8] = [
      await logitsOf('fp32', 'same'),
      await logitsOf('int4', 'same'),
      await logitsOf('int4', 'int8'),
    ]
    const cosine = (a: Float32Array, b: Float32Array) => {
      const dot = (x: Float32Array, y: Float32Array) =>
        x.reduce((sum, value, i) => sum + value * (y[i] as number), 0)
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
    }
    expect(exact).toHaveLength(2 * CLASSES)
    expect(cosine(int8, same)).toBeGreaterThan(0.995)
    expect(cosine(same, exact)).toBeGreaterThan(0.9)
  })
})

describe('align', () => {
  it('gives each word its times, as it is written, in order and within the recording', async () => {
    const text = '“Hello,” 3.5 % — 你好！'
    const { words, warnings } = await using({ variant: 'fp32' }, (aligner) =>
      align(aligner, noise(2.01), text),
    )
    expect(words.map((word) => word.text)).toEqual(['“Hello,”', '3.5 % —', '你', '好！'])
    const times = words.flatMap(({ start, end }) => [start, end])
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(Math.max(...times)).toBeLessThanOrEqual(2.01)
    expect(warnings.filter((warning) => !warning.includes('out of order'))).toEqual([])
  })

  it('gives no words for punctuation or nothing, without a run', async () => {
    await using({ variant: 'fp32' }, async (aligner) => {
      for (const text of ['', ' … —! ', '\n'])
        expect(await align(aligner, noise(1), text)).toMatchObject({ words: [], warnings: [] })
    })
  })

  it('refuses what it cannot do by name', async () => {
    await using({ variant: 'fp32' }, async (aligner) => {
      await expect(align(aligner, noise(1), 'kelime', { language: 'Turkish' })).rejects.toMatchObject({
        message: 'The aligner does not support Turkish.',
        hint: 'It supports Cantonese, Chinese, English, French, German, Italian, Japanese, Korean, Portuguese, Russian, Spanish.',
      })
      await expect(align(aligner, noise(1), 'word', { language: 'Klingon' })).rejects.toThrow(
        '"Klingon" is not a language of Qwen3-ASR.',
      )
      await expect(align(aligner, new Float32Array(21 * 16_000), 'word')).rejects.toThrow(
        'The recording has 21.0 s, wanted at most 20.08 s, which the aligner can process in one pass.',
      )
    })
  })

  it('warns of letters that no known language has', async () => {
    const { words, warnings } = await using({ variant: 'int4' }, (aligner) =>
      align(aligner, noise(1), 'مرحبا بالعالم'),
    )
    expect(words.map((word) => word.text)).toEqual(['مرحبا', 'بالعالم'])
    expect(warnings).toEqual([
      expect.stringMatching(/^Most letters of the text \(.*\) belong to no language of the aligner/),
    ])
  })

  it('warns when many times are out of order, as those of random weights are', async () => {
    const text = Array.from({ length: 30 }, (_, i) => `word${i}`).join(' ')
    const { warnings } = await using({ variant: 'fp32' }, (aligner) => align(aligner, noise(5), text))
    expect(warnings).toEqual([
      expect.stringMatching(
        /^\d\d of 60 starts and ends of words were out of order, .*: is the text that of this recording\?$/,
      ),
    ])
    const one = await using({ variant: 'fp32' }, (aligner) => align(aligner, noise(5), 'word'))
    expect(one.warnings).toEqual([])
  })

  it('takes the times of the slots: starts first, ends second', async () => {
    await using({ variant: 'fp32' }, async (aligner) => {
      const { encoder, tokenizer, graph, settings } = aligner
      const samples = noise(20)
      const features = await encoder.run(logMel(samples))
      const prompt = alignerPrompt(tokenizer, features.length / HIDDEN, ['one', 'two'])
      expect(prompt.ids.slice(-3)).toEqual([tokenizer.encode('two').at(-1), 448, 448])
      const times = slotTimes(await graph.run(prompt, features), settings)
      const { words } = await align(aligner, samples, 'one two')
      expect(words.flatMap(({ start, end }) => [1000 * start, 1000 * end])).toEqual(
        times.map((ms) => Math.min(ms, 20_000)),
      )
    })
  })

  it('is refused by a release whose config.json lacks the section', async () => {
    const copy = await aCopy()
    const config = JSON.parse(await readFile(join(copy, 'config.json'), 'utf8'))
    await writeFile(join(copy, 'config.json'), JSON.stringify({ ...config, aligner: undefined }))
    await expect(loadAligner(copy, { threads: 1 })).rejects.toThrow('has no section aligner')
    await rm(copy, { recursive: true })
  })
})

describe('an aligner in a thread of its own', () => {
  it('does what it is asked for in turn, and reads recordings itself', async () => {
    const aligner = await startAligner({ folder, threads: 1, variant: 'fp32' })
    expect(aligner).toMatchObject({ variant: 'fp32', settings: { classes: CLASSES, maxSeconds: 20.08 } })
    const samples = noise(2)
    const jobs = [
      aligner.align({ input: { samples, sampleRate: 16_000 }, text: 'One two' }),
      aligner.align({ input: { samples, sampleRate: 16_000 }, text: 'x', language: 'Thai' }),
      aligner.align({
        input: { path: join(BUNDLED_SPEECH, 'held-out-004.flac') },
        text: 'Three.',
        language: 'en',
      }),
      aligner.align({ input: { samples: noise(21), sampleRate: 16_000 }, text: 'x' }),
    ]
    const [first, second, third, fourth] = await Promise.allSettled(jobs)
    const alone = await using({ variant: 'fp32' }, (own) => align(own, samples, 'One two'))
    const { words, warnings } = alone
    expect(first).toMatchObject({ value: { seconds: 2, words, warnings, notes: [] } })
    expect(second).toMatchObject({
      reason: { message: 'The aligner does not support Thai.', name: 'SpeechError' },
    })
    expect(third).toMatchObject({ value: { words: [{ text: 'Three.' }], warnings: [] } })
    expect(fourth).toMatchObject({
      reason: {
        message: expect.stringMatching(/^The recording has more than 20\.08 s, wanted at most 20\.08 s,/),
      },
    })
    await aligner.release()
  })

  it('says why it cannot be loaded', async () => {
    await expect(startAligner({ folder: '/nowhere', threads: 1 })).rejects.toThrow(
      '/nowhere holds no aligner graph.',
    )
    await expect(startAligner({ folder, threads: 1, variant: 'q8' })).rejects.toThrow(
      `${folder} has no variant q8.`,
    )
  })
})

describe('npm run align', () => {
  const output = async (args: readonly string[]) => {
    const [out, err]: [string[], string[]] = [[], []]
    const taken = (to: string[]) => (chunk: string | Uint8Array) => to.push(String(chunk)) > 0
    vi.spyOn(process.stdout, 'write').mockImplementation(taken(out))
    vi.spyOn(process.stderr, 'write').mockImplementation(taken(err))
    const exitCode = await run([...args, '--model-dir', folder, '--threads', '1'])
    vi.restoreAllMocks()
    return { exitCode, stdout: out.join(''), stderr: err.join('') }
  }
  const speech = join(BUNDLED_SPEECH, 'held-out-004.flac')

  it('prints words of a text file as JSON', async () => {
    const text = join(await temporaryFolder(), 'said.txt')
    await writeFile(text, '\ufeffOne, “two”\r\n— three.\n')
    const { exitCode, stdout, stderr } = await output([speech, text, '--variant', 'fp32', '--language', 'en'])
    expect(exitCode).toBe(0)
    const { file, variant, seconds, words, warnings } = JSON.parse(stdout)
    expect({ file, variant }).toEqual({ file: speech, variant: 'fp32' })
    expect(stderr).toBe(warnings.map((warning: string) => `warning: ${speech}: ${warning}\n`).join(''))
    expect(words.map((word: { text: string }) => word.text)).toEqual(['One,', '“two” —', 'three.'])
    expect(seconds).toBeGreaterThan(words.at(-1).end - 0.001)
  })

  it('prints the same in other formats', async () => {
    const text = 'One "two" 三'
    const ofFormat = async (format: string) =>
      (await output([speech, text, '--variant', 'fp32', '--format', format])).stdout
    expect(await ofFormat('ctm')).toMatch(
      /^held-out-004 1 \d+\.\d{3} \d+\.\d{3} One\nheld-out-004 1 \S+ \S+ "two"\nheld-out-004 1 \S+ \S+ 三\n$/,
    )
    expect(await ofFormat('textgrid')).toMatch(/^File type = "ooTextFile"\n[\s\S]* text = """two"""\n/)
    expect(await ofFormat('srt')).toMatch(/^1\n00:00:0/)
    expect(await ofFormat('vtt')).toMatch(/^WEBVTT\n\n00:00:0/)
  })

  it('reports with --json what it found, and on stderr what may be wrong', async () => {
    const foreign = await output([speech, 'مرحبا', '--variant', 'int4'])
    expect(foreign.exitCode).toBe(0)
    expect(foreign.stderr).toMatch(/^warning: .*held-out-004\.flac: Most letters of the text/)
    const { stdout } = await output([speech, 'One', '--json'])
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ event }) => event)).toEqual(['report', 'done'])
    expect(events[0]).toMatchObject({ variant: 'int4', words: [{ text: 'One' }] })
  })

  it('names what is wrong', async () => {
    const failing = async (...args: string[]) => {
      const { exitCode, stderr } = await output(args)
      return [exitCode, stderr.split('\n')[0]]
    }
    expect(await failing(speech)).toEqual([2, 'error: Found no text, wanted what is said in the recording.'])
    expect(await failing()).toEqual([2, 'error: Found no recording, wanted one.'])
    expect(await failing('-', 'a')).toEqual([
      2,
      'error: Stdin (-) cannot be aligned: a long recording is read twice.',
    ])
    expect(await failing(speech, 'a', '--language', 'Turkish')).toEqual([
      1,
      'error: The aligner does not support Turkish.',
    ])
    expect(await failing(speech, 'nowhere.txt')).toEqual([1, expect.stringMatching(/^error: nowhere\.txt /)])
    expect(await failing('nowhere.wav', 'a')).toEqual([1, expect.stringMatching(/^error: nowhere\.wav /)])
    expect(await failing(speech, 'a', '--variant', 'q8')).toEqual([1, `error: ${folder} has no variant q8.`])
    expect(await failing(speech, 'a', '--json', '--format', 'srt')).toEqual([2, ''])
  })
})
