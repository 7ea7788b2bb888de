// SPDX-License-Identifier: Apache-2.0

import { Buffer } from 'buffer/' // of npm: the slash distinguishes it from Node's own

export { Buffer }
