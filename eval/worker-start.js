// A worker thread does not inherit tsx from its process on Node 20, so it is registered here. The module is the first argument.
import { register } from 'tsx/esm/api'

register()
await import(process.argv[2])
