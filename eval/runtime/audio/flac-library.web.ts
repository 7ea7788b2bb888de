// SPDX-License-Identifier: Apache-2.0

import libflac from 'libflacjs/dist/libflac.js'
import type { LibFlac } from './flac-library.ts'

/** The decoder, as libflacjs exports it to a bundle for browsers. */
export const flac = libflac as unknown as LibFlac
