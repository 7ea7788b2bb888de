// SPDX-License-Identifier: Apache-2.0

import { probeAdding } from './integer-products.ts'

/* A process of its own, as kernels are chosen once: how 8-bit products are added with the runtime that it has. */

process.stdout.write(await probeAdding())
