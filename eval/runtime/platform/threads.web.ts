// SPDX-License-Identifier: Apache-2.0

import { mountedFolders, mountFolder } from './random-access.web.ts'
import type * as Threads from './threads.ts'

/* Web workers: bundles beside the page's own, one of each module for each edition of onnxruntime. */

interface First {
  readonly setup: { readonly provider?: string }
  readonly folders: ReturnType<typeof mountedFolders>
}

/** What a worker posts besides its messages: that it is ready for them, and that it closes itself. */
const [READY, END] = ['$ready', '$end']

/** Start a module of eval/runtime in a web worker, with the folders that are mounted here. */
export function startModule<Sent, Received>(
  module: string,
  setup: First['setup'],
): Threads.Thread<Sent, Received> {
  const name = module.replace(/^\.\/|\.ts$/g, '')
  const edition = setup.provider === 'webgpu' ? 'webgpu' : 'wasm'
  const first: First = { setup, folders: mountedFolders() }
  const worker = new Worker(new URL(`${name}-${edition}.js`, import.meta.url), { type: 'module', name })
  const ended = new Promise<Threads.ThreadEnd>((resolve) => {
    worker.addEventListener('message', ({ data }) => {
      if (data === READY) worker.postMessage(first)
      else if (data === END) resolve({ code: 0, error: undefined })
    })
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      worker.terminate()
      resolve({ code: 1, error: new Error(event.message || `${name}-${edition}.js cannot be loaded.`) })
    })
  })
  return {
    ended,
    post: (message) => worker.postMessage(message),
    onMessage: (listener) =>
      worker.addEventListener('message', ({ data }) => {
        if (data !== READY && data !== END) listener(data)
      }),
  }
}

/** In a module that was started by {@link startModule}. The folders of the page are mounted when this resolves. */
export async function ownThread<Setup, Sent, Received>(): Promise<Threads.OwnThread<Setup, Sent, Received>> {
  const { setup, folders } = await new Promise<First>((resolve) => {
    addEventListener('message', ({ data }) => resolve(data), { once: true })
    postMessage(READY)
  })
  for (const [name, files] of folders) mountFolder(name, files)
  return {
    setup: setup as Setup,
    post: (message, moved = []) => postMessage(message, { transfer: moved }),
    onMessage: (listener) => addEventListener('message', ({ data }) => listener(data)),
    end() {
      postMessage(END)
      close()
    },
  }
}

/** Each edition of the runtime would take its own memory for code and threads. */
export const LOADS_APART: typeof Threads.LOADS_APART = false

/** What to do about a worker that has ended by itself. */
export const WHEN_ENDED: typeof Threads.WHEN_ENDED =
  'Memory may be short: close other tabs, or load a smaller variant.'
