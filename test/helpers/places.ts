import { join } from 'node:path'
import { PROJECT } from '../../pipeline/models.ts'

/** Where the test-only packages are: a folder of their own, so that .venv stays what users have. */
export const TEST_PACKAGES = '.venv/test-packages'

/** Where the tiny release that several test files copy is made; a second run of the tests finds it fresh. */
export const SHARED_RELEASES = join(PROJECT, 'node_modules', '.cache', 'qwen3-asr-onnx-test')
