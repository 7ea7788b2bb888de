// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runEngine } from '../../eval/engine.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/** What a command that runs this script, which has no spaces, makes of a clip. */
async function heard(script: string): Promise<string> {
  const path = join(await temporaryFolder(), 'clip.wav')
  await writeFile(path, encodeWav(new Float32Array(8000)))
  const engine = { name: 'other', command: `${process.execPath} -e ${script} {wav}` }
  return (await runEngine(engine, path, 60, new AbortController().signal)).text
}

const writes = (text: string, encoding: BufferEncoding) =>
  `process.stdout.write(Buffer.from('${Buffer.from(text, encoding).toString('hex')}','hex'))`

describe('what another engine writes', () => {
  it('is text in UTF-8, with a byte order mark or without', async () => {
    expect(await heard(writes(' Grüße\r\n größer\n', 'utf8'))).toBe('Grüße größer')
    expect(await heard(writes('\ufeffzwölf', 'utf8'))).toBe('zwölf')
  })

  it('is refused in another encoding, whose letters would be scored as errors', async () => {
    await expect(heard(writes('Grüße', 'latin1'))).rejects.toThrow(
      'other wrote text that is not valid UTF-8.',
    )
  })

  it('is named when it fails, with the last line of stderr', async () => {
    await expect(heard('process.exit(3)')).rejects.toThrow(
      'other failed (exit code 3): it wrote nothing to stderr.',
    )
    await expect(heard("console.error('a\\n'+'no-model');process.exit(4)")).rejects.toThrow(
      'other failed (exit code 4): no-model',
    )
  })
})
