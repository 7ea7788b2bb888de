// SPDX-License-Identifier: Apache-2.0

import { type Device, gpuPrefers } from './variant-choice.ts'

/** WebGPU as the browser offers it; the DOM's types lack it (w3.org/TR/webgpu). */
interface Adapter {
  readonly features: ReadonlySet<string>
  readonly info?: Partial<
    Record<'vendor' | 'architecture' | 'device' | 'description', string> & {
      readonly isFallbackAdapter: boolean
    }
  >
}

/** More threads than this hinder each other more than they help. */
const MOST_THREADS = 8

/** The devices of this machine, the one to take first. A GPU in software is slower than the processor. */
export async function findDevices(): Promise<Device[]> {
  const adapter = await adapterOf()
  const processor = processorOf()
  if (adapter === undefined) return [processor]
  const gpu: Device = {
    provider: 'webgpu',
    name: 'Graphics (WebGPU)',
    about: aboutOf(adapter),
    threads: 1,
    prefers: gpuPrefers(hasHalves(adapter)),
    widensBlocks: false,
  }
  return isSoftware(adapter) ? [processor, gpu] : [gpu, processor]
}

function processorOf(): Device {
  const threads = crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1
  const about = crossOriginIsolated
    ? `${threads} ${threads === 1 ? 'thread' : 'threads'}`
    : '1 thread: this page is not isolated from others, so that threads cannot share memory'
  return {
    provider: 'cpu',
    name: 'Processor (WebAssembly)',
    about,
    threads,
    prefers: ['int8', 'compact', 'int4'],
    widensBlocks: true,
  }
}

async function adapterOf(): Promise<Adapter | undefined> {
  const { gpu } = navigator as { readonly gpu?: { requestAdapter(): Promise<Adapter | null> } }
  return (await gpu?.requestAdapter().catch(() => null)) ?? undefined
}

function aboutOf(adapter: Adapter): string {
  const { vendor = '', architecture = '', device = '', description = '' } = adapter.info ?? {}
  const name = [description || device, vendor, architecture].filter((text) => text !== '').join(', ')
  const half = hasHalves(adapter) ? '16-bit floats' : 'no 16-bit floats'
  const software = isSoftware(adapter) ? ', in software: slow' : ''
  return `${name || 'an adapter without a name'}, ${half}${software}`
}

function hasHalves({ features }: Adapter): boolean {
  return features.has('shader-f16')
}

function isSoftware({ info = {} }: Adapter): boolean {
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|basic render/i.test(JSON.stringify(textsOf(info)))
  )
}

/** Its properties are getters of a prototype, which JSON leaves out. */
function textsOf({ vendor, architecture, device, description }: NonNullable<Adapter['info']>) {
  return [vendor, architecture, device, description]
}
