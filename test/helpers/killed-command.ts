// SPDX-License-Identifier: Apache-2.0

import './faults.ts' // first: it counts what the command changes, and KILL_AT says when to die
import { graphCommand } from './graph-command.ts'

/* A graph command in a process of its own, to be killed. */

await graphCommand(process.argv.slice(2))
