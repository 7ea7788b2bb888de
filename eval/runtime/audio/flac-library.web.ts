import libflac from 'libflacjs/dist/libflac.js'
import type { LibFlac } from './flac-library.ts'

export const flac = libflac as unknown as LibFlac
