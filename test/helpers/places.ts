// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'

/** What is made for the tests: below node_modules, to find its packages. A second run of the tests finds it. */
export const MADE = join(PROJECT, 'node_modules', '.cache', 'qwen3-asr-onnx-test')
/** The test-only Python packages are in a folder of their own, so that .venv stays what users have. */
export const TEST_PACKAGES = join(PROJECT, '.venv', 'test-packages')
export const RELEASES = join(MADE, 'releases')
/** A forced aligner with random weights: its checkpoint, and the model directory that is made of it. */
export const ALIGNERS = join(MADE, 'aligners')
/** What the pipeline printed when it made that. */
export const ALIGNER_RECORD = join(MADE, 'aligners.log')
/** The release of the trained tiny aligner is below it. */
export const TINY_ALIGNERS = join(MADE, 'tiny-aligners')
/** What the pipeline printed when it made that. */
export const TINY_ALIGNER_RECORD = join(MADE, 'tiny-aligners.log')
/** What the pipeline printed when it made the release in there. */
export const RECORD = join(MADE, 'releases.log')
