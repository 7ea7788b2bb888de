import { execa } from 'execa'
import { TEST_PACKAGES } from './places.ts'

/** What a published Python package says; see referee.py. */
export async function askReferee<T>(ask: string, ...of: readonly unknown[]): Promise<T> {
  const { stdout } = await execa('.venv/bin/python', ['test/helpers/referee.py'], {
    input: JSON.stringify({ ask, of }),
    env: { PYTHONPATH: TEST_PACKAGES, PYTHONIOENCODING: 'utf-8' },
  })
  return JSON.parse(stdout)
}
