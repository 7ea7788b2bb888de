// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, expect, it } from 'vitest'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { PACKAGES } from '../../pipeline/release/card-python.ts'
import { readManifest } from '../../pipeline/release/manifest.ts'
import { runCli } from '../helpers/cli.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { modelHub } from '../helpers/model-hub.ts'
import { sharedReleases, sharedTinyAligner, stagePython } from '../helpers/prepared.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

/* What a visitor of a model card copies from it, run as it stands there. */

const REPO = 'tester/tiny-onnx'

interface Visitor {
  /** of the card, by the language that they are marked with */
  readonly blocks: (language: string) => string[]
  /** a line of bash in the visitor's folder, where Python has the packages that the card says */
  run(command: string, env?: Record<string, string>): Promise<string>
}

/** Somebody with the program of the card, and a recording as the card wants it. */
async function visitorOf(card: string, program: string): Promise<Visitor> {
  const folder = await temporaryFolder()
  const blocks = (language: string) =>
    [...card.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, text = '']) =>
      name === language ? [text] : [],
    )
  const [source = ''] = blocks('python')
  await writeFile(join(folder, program), source)
  expect(packagesOf(source)).toEqual([...PACKAGES])
  const python = await stagePython()
  const convert =
    'import soundfile, sys; soundfile.write(sys.argv[2], *soundfile.read(sys.argv[1]), subtype="PCM_16")'
  const clip = join(BUNDLED_SPEECH, 'held-out-000.flac')
  await execa(python, ['-c', convert, clip, join(folder, 'speech.wav')])
  const path = `${dirname(python)}${delimiter}${process.env['PATH']}`
  return {
    blocks,
    async run(command, env = {}) {
      const { stdout } = await execa('bash', ['-euc', command], { cwd: folder, env: { PATH: path, ...env } })
      return stdout
    },
  }
}

/** What a program imports that is not Python's own. */
function packagesOf(source: string): string[] {
  const names = [...source.matchAll(/^(?:from|import) (\w+)/gm)].map(([, name = '']) => name)
  const own = ['json', 'pathlib', 'sys', 'unicodedata', 'wave']
  return names.filter((name) => !own.includes(name)).sort()
}

let aligner: string

beforeAll(async () => {
  await sharedReleases()
  aligner = await sharedTinyAligner()
})

it('a visitor fetches one variant from the hub, and reads with Python what is said', async () => {
  const model = await copyTinyRelease()
  const hub = await modelHub()
  const env = {
    HF_ENDPOINT: hub.url,
    HF_TOKEN: hub.token,
    HF_HOME: await temporaryFolder(),
    HF_HUB_DISABLE_XET: '1',
  }
  expect((await runCli([model, '--repo', REPO], env, 'publish')).exitCode).toBe(0)
  const release = join(model, 'release')
  const visitor = await visitorOf(await readFile(join(release, 'README.md'), 'utf8'), 'transcribe.py')
  const [single = '', archive = '', , python = ''] = visitor
    .blocks('sh')
    .map((text) => text.replaceAll('OWNER/NAME', REPO))
  const read = python.replace(/^pip install .*\n/, '')
  const { files, selfTests } = await readManifest(release)
  const said = selfTests.find(({ variant }) => variant === 'int4')?.text

  await visitor.run(single, env)
  const fetched = (await visitor.run('cd qwen3-asr-tiny-int4 && find * -type f')).split('\n')
  const wanted = files.filter(({ role, variants }) => role !== 'archive' && variants.includes('int4'))
  expect(fetched.sort()).toEqual([...wanted.map(({ path }) => path), 'manifest.json'].sort())
  expect(await visitor.run(read)).toBe(said)

  await visitor.run('rm -r qwen3-asr-tiny-int4')
  await visitor.run(archive, env)
  expect(await visitor.run(read)).toBe(said)
})

it('a visitor finds with Python when the words of a text are said', async () => {
  const release = join(aligner, 'release')
  const card = await readFile(join(release, 'README.md'), 'utf8')
  const visitor = await visitorOf(card, 'align.py')
  const [, archive = '', , python = ''] = visitor.blocks('sh')
  const { selfTests } = await readManifest(release)
  const { text = '', words = [] } = selfTests.find(({ variant }) => variant === 'int4') ?? {}
  await visitor.run(`cp ${join(release, 'qwen3-aligner-tiny-int4.tar.gz')} . && ${archive.split('\n')[1]}`)
  await visitor.run(`printf '%s' "$TEXT" > text.txt`, { TEXT: text })
  expect(await visitor.run(python.replace(/^pip install .*\n/, ''))).toBe(
    words.map(({ start, end, text }) => `${start.toFixed(2)}\t${end.toFixed(2)}\t${text}`).join('\n'),
  )
})
