// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { about, number, shape } from '../../eval/runtime/schema.ts'

/** JSON has no NaN: null is a figure that there is none of. */
export const FIGURE = v.nullable(number)

/** An interval; its ends are null where there is none. */
export const INTERVAL = shape({ low: about('Lower end.', FIGURE), high: about('Upper end.', FIGURE) })
