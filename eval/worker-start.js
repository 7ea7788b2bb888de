// A worker thread does not inherit tsx from its process on Node 20, so it is registered here.
import { register } from 'tsx/esm/api'

register()
await import('./worker.ts')
