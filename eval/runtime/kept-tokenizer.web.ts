// SPDX-License-Identifier: Apache-2.0

import type * as Kept from './kept-tokenizer.ts'
import { readTokenizer } from './tokenizer.ts'

/* A page keeps no tokenizers: it is made of its files each time. */

/** As `readTokenizer`. */
export const openTokenizer: typeof Kept.openTokenizer = (folder) => readTokenizer(folder)
