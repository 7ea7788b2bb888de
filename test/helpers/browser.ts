// SPDX-License-Identifier: Apache-2.0

import chromium from '@sparticuz/chromium'
import { type Browser, chromium as playwright } from 'playwright-core'

/** A real headless browser: the Chromium of an npm package on Linux, the installed Chrome elsewhere. */
export async function startBrowser(args: readonly string[] = ['--disable-gpu']): Promise<Browser> {
  if (process.platform !== 'linux') return playwright.launch({ channel: 'chrome', args: [...args] })
  const executablePath = await chromium.executablePath()
  return playwright.launch({ executablePath, args: ['--no-sandbox', ...args] })
}

/** WebGPU by SwiftShader, which is inside the browser. */
export const SOFTWARE_WEBGPU = [
  ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--ignore-gpu-blocklist'],
  ...['--enable-features=Vulkan', '--use-vulkan=swiftshader'],
]
