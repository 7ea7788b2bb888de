import { readFileSync } from 'node:fs'
import { decodeWav } from '../../eval/audio/wav.ts'

/* A command line that hears nothing but how long a clip is, and fails on clips shorter than a second. */

const { channels, sampleRate } = decodeWav(readFileSync(process.argv[2] ?? ''))
const seconds = (channels[0]?.length ?? 0) / sampleRate
if (sampleRate !== 16000 || channels.length !== 1) throw new Error('wanted 16 kHz mono')
if (seconds < 1) {
  process.stderr.write('too short\n')
  process.exit(4)
}
process.stdout.write(`heard\n  ${Math.round(seconds)} seconds\n`)
