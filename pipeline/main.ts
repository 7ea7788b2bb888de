import { asProcess } from './commands/command-process.ts'
import { COMMANDS } from './commands/commands.ts'

/* node --import tsx pipeline/main.ts COMMAND [ARG ...], as the scripts of package.json say. */

const [name = '', ...args] = process.argv.slice(2)
const load = COMMANDS[name]
if (load === undefined) throw new Error(`There is no command ${name}.`)
await asProcess(async (given, host) => (await load()).run(given, host), args)
