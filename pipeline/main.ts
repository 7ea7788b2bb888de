#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0

import { asProcess } from './commands/command-process.ts'
import { program } from './commands/program.ts'

/* The program that is installed, and what the scripts of package.json run: COMMAND [ARG ...]. */

const [name = '', ...args] = process.argv.slice(2)
await asProcess(program(name), args)
