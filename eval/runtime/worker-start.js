// A worker thread does not inherit tsx from its process on Node 20, so it is registered here. The module is the first argument.
const [, , module] = process.argv
if (module.endsWith('.ts')) (await import('tsx/esm/api')).register()
await import(module)
