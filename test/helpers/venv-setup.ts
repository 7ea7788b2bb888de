import { findPython } from '../../pipeline/venv.ts'

/** The tests run the real Python scripts: make .venv once, before any of them. */
export default async function setup(): Promise<void> {
  const say = (text: string) => process.stderr.write(`${text}\n`)
  await findPython({
    emit: (event) => event.event === 'note' && say(event.text),
    signal: new AbortController().signal,
  })
}
