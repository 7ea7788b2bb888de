import chromium from '@sparticuz/chromium'
import { type Browser, chromium as playwright } from 'playwright-core'

/** A real headless browser: the Chromium of an npm package on Linux, the installed Chrome elsewhere. */
export async function startBrowser(): Promise<Browser> {
  if (process.platform !== 'linux') return playwright.launch({ channel: 'chrome' })
  const executablePath = await chromium.executablePath()
  return playwright.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}
