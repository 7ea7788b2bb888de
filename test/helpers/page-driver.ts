// SPDX-License-Identifier: Apache-2.0

import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'

/* What tests do with the page for browsers. */

/** What int4 needs of a release. */
export const NEEDED = [
  ...['config.json', 'decoder.int4.onnx', 'decoder_weights.int4.data', 'embed_tokens.bin'],
  ...['encoder.int4.onnx', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'],
]

/** It has loaded again with threads, and its script has run. */
export const READY = 'crossOriginIsolated && document.querySelector("#offline").textContent !== ""'

/** Copy some of a release's files into a folder. */
export async function copyFiles(model: string, folder: string, files: readonly string[]): Promise<string> {
  for (const file of files) {
    await mkdir(join(folder, dirname(file)), { recursive: true })
    await copyFile(join(model, file), join(folder, file))
  }
  return folder
}

/** The page's policy lets nothing be evaluated in it; the browser's debugger may, one expression after the other. */
export async function until(page: Page, expression: string, seconds = 20): Promise<void> {
  const last = performance.now() + 1000 * seconds
  while (!(await page.evaluate(expression).catch(() => false))) {
    if (performance.now() > last) throw new Error(`${expression} does not come true.`)
    await sleep(30)
  }
}

export async function shown(page: Page, id: string): Promise<void> {
  await page.waitForSelector(`#${id}:not([hidden])`)
}

export function textOf(page: Page, id: string): Promise<string> {
  return page.locator(`#${id}`).innerText()
}

/** Transcribe a file. @returns the text, also where it was not heard to its end */
export async function hear(page: Page, file: string): Promise<string> {
  await page.setInputFiles('#file', file)
  await page.waitForSelector('#done:not([hidden]), #speech-problem:not([hidden])')
  return textOf(page, 'text')
}
