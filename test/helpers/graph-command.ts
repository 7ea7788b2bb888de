import { runInline, runRenameData, runShare, runStripAllowzero } from '../../pipeline/graph/commands.ts'

/** A few graph commands without the command line around them. */
export async function graphCommand([command = '', ...files]: readonly string[]): Promise<void> {
  const quiet = () => {}
  if (command === 'share') await runShare(files, { data: 'w.data', minimum: 256 }, quiet, quiet)
  else if (command === 'share elsewhere')
    await runShare(files, { data: 'other.data', minimum: 256 }, quiet, quiet)
  else if (command === 'rename-data')
    await runRenameData(files, { from: 'w.data', to: 'renamed.data' }, quiet)
  else if (command === 'inline') await runInline(files, quiet, quiet)
  else if (command === 'strip-allowzero') await runStripAllowzero(files, false, quiet)
  else throw new Error(`unknown command ${command}`)
}

if (process.argv[2] === 'graph-command') await graphCommand(process.argv.slice(3))
