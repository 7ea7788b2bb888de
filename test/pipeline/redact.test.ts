// SPDX-License-Identifier: Apache-2.0

import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { proxiesOf } from '../../eval/dataset/proxies.ts'
import { retrying, TransientError } from '../../eval/dataset/retrying-fetch.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { describeError, EXIT, Failure } from '../../pipeline/shared/failure.ts'
import { keepSecret, mapTexts, redact, withoutSecrets } from '../../pipeline/shared/redact.ts'
import { failureLines, jsonLine } from '../../pipeline/shared/terminal.ts'
import { builtModule } from '../helpers/commands.ts'

const TOKEN = 'hf_abcdefghijklmnopqrstuvwxyzABCDEF'

afterEach(() => vi.unstubAllEnvs())

describe('what a command says', () => {
  it.each([
    [
      'a signature behind the question mark',
      'GET https://s3.test/a/b?X-Sig=1&t=2 failed',
      'GET https://s3.test/a/b failed',
    ],
    [
      'a user and password',
      'cannot reach http://me:s3cret@proxy:3128/',
      'cannot reach http://...@proxy:3128/',
    ],
    ['a password with an @', 'at socks5://me:a@b@host', 'at socks5://...@host'],
    ['a user alone', 'https://token123@hub.test/x', 'https://...@hub.test/x'],
    ['any token of the hub', `token ${TOKEN}, twice ${TOKEN}`, 'token hf_..., twice hf_...'],
    ['a header', 'authorization: Bearer abc.def-1', 'authorization: Bearer ...'],
    ['a header for a proxy', 'Proxy-Authorization: Basic bWU6cGFzcw==', 'Proxy-Authorization: Basic ...'],
  ])('holds no secret: %s', (_, text, clean) => {
    expect(redact(text)).toBe(clean)
  })

  it.each([
    'normalizer basic transcription',
    'a@b.test',
    'Is it 3:1? Yes.',
    'hf_model/encoder',
    'see https://hub.test/?',
  ])('is left as it is: %s', (text) => expect(redact(text)).toBe(text))

  it('holds no token and no password of the environment, however they are written', () => {
    vi.stubEnv('HF_TOKEN', 'selfhosted-token-1')
    vi.stubEnv('HTTPS_PROXY', 'http://me:p%40ss%2Fword@proxy.test:3128')
    vi.stubEnv('HF_ENDPOINT', 'https://you:other/word@hub.test')
    const said = [
      ...['selfhosted-token-1', 'p%40ss%2Fword', 'p@ss/word', 'me:p@ss/word', 'other/word'],
      Buffer.from('me:p@ss/word').toString('base64'),
    ]
    for (const secret of said) expect(redact(`x ${secret} y`)).toBe('x ... y')
  })

  it('shows how the address of a proxy is written, as it was meant', () => {
    let hint: unknown
    try {
      proxiesOf({ HTTPS_PROXY: 'socks5://me:s3cret@host' })
    } catch (error) {
      hint = (error as { hint?: unknown }).hint
    }
    expect(hint).toBe(
      'Give http://host:port, with user:password@ before the host where the proxy needs them.',
    )
    expect(redact(String(hint))).toBe(hint)
  })

  it('holds no token that was read from a file', () => {
    keepSecret('from-a-file-1')
    expect(redact('"from-a-file-1"')).toBe('"..."')
  })

  it('is clean in every field of an event, and of data except addresses', () => {
    const event = { event: 'note', rows: [['https://a.test/b?c=d', 1, undefined]], hint: `${TOKEN}` }
    expect(mapTexts(event, redact)).toEqual({
      event: 'note',
      rows: [['https://a.test/b', 1, undefined]],
      hint: 'hf_...',
    })
    expect(withoutSecrets('https://a.test/b?c=d')).toBe('https://a.test/b?c=d')
  })

  it('is what stopped the run, and not that a timer or a request was aborted', async () => {
    const stopped = new AbortController()
    const reason = new Failure('Stopped.', 'Run the same command again.', EXIT.interrupted)
    const waiting = setTimeout(60_000, undefined, { signal: stopped.signal }).catch((error) => error)
    const retried = retrying(() => Promise.reject(new TransientError('no answer')), {
      signal: stopped.signal,
      firstWaitMs: 60_000,
      onRetry: () => setImmediate(() => stopped.abort(reason)),
    })
    await expect(retried).rejects.toBe(reason)
    expect(describeError(await waiting)).toBe(reason)
  })

  it('is one failure, whatever is in its message', () => {
    expect(failureLines({ message: `no https://u:p@h/x?y\nhint: \u001b[2J`, hint: 'try\u202e' })).toEqual([
      'error: no https://...@h/x',
      '  hint: \\u{1b}[2J',
      'hint: try\\u{202e}',
    ])
  })

  it('is clean when nobody caught an error, its stack with --debug too', async () => {
    const source = `
      import { asProcess } from ${JSON.stringify(builtModule('pipeline/commands/command-process.ts'))}
      import { runnable } from ${JSON.stringify(builtModule('pipeline/commands/run-command.ts'))}
      const parse = async () => ({ json: false, debug: true })
      const run = () => new Promise(() => {})
      asProcess(runnable({ parse, run, stdout: 'results' }), process.argv)
      Promise.reject(new Error('lost https://me:s3cret@h.test/a?signature=1\\u001b[2J ' + process.env.HF_TOKEN))
      setTimeout(() => {}, 10_000)`
    const args = ['--input-type=module', '-e', source, '--', '--debug']
    const ended = await execa(process.execPath, args, {
      cwd: PROJECT,
      env: { HF_TOKEN: 'selfhosted-1' },
      reject: false,
    })
    const said = ended.stderr.split('\n')
    expect(said[0]).toBe('error: lost https://...@h.test/a ...')
    expect(said[1]).toBe('hint: Run again with --debug for the stack.')
    expect(said[2]).toBe('Error: lost https://...@h.test/a ...')
    expect(ended.stderr).not.toMatch(/s3cret|signature=1|selfhosted-1/)
    expect(ended.exitCode).toBe(1)
  })

  it('is JSON that a terminal shows as it is', () => {
    const value = { name: 'a\u001b[31m\u009b\u202e\u2028\u007f"\n', n: -0.5, none: null }
    const line = jsonLine(value, (text) => text)
    expect(JSON.parse(line)).toEqual(value)
    expect(line).toBe('{"name":"a\\u001b[31m\\u009b\\u202e\\u2028\\u007f\\"\\n","n":-0.5,"none":null}\n')
  })
})
