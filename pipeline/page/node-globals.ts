import { Buffer } from 'buffer/' // of npm: the slash tells it from Node's own

export { Buffer }
