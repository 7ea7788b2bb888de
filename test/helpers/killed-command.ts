import './faults.ts' // first: it counts what the command changes, and KILL_AT says when to die
import { graphCommand } from './graph-command.ts'

/* A graph command in a process of its own, to be killed. Bundled into one file, since it is started a hundred times. */

await graphCommand(process.argv.slice(2))
