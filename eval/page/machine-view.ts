// SPDX-License-Identifier: Apache-2.0

import { divOf } from './dom.ts'
import type { OfflineState } from './offline.ts'
import { bytesText } from './quantities.ts'
import type { Device } from './variant-choice.ts'

/* The foot of the page: what is kept, what there is to compute with, and the memory that the page takes. */

const OFFLINE: Readonly<Record<OfflineState, string>> = {
  kept: 'This page opens without a network now.',
  newer: 'A newer version of this page opens when all tabs with it are closed.',
  keeping: 'The browser is storing this page.',
  impossible: 'This page needs the network the next time.',
}

/** Show whether the page opens without a network. @param why is put behind the sentence */
export function showOffline(state: OfflineState, why = ''): void {
  divOf('offline').textContent = `${OFFLINE[state]} ${why}`.trim()
}

/** Devices, and the memory of the page and its workers, where the browser measures it: that takes it some seconds. */
export async function showMachine(devices: Promise<readonly Device[]>): Promise<void> {
  const names = (await devices).map(({ name, about }) => `${name}: ${about}.`).join(' ')
  divOf('machine').textContent = names
  const { measureUserAgentSpecificMemory: measure } = performance as {
    measureUserAgentSpecificMemory?(): Promise<{ readonly bytes: number }>
  }
  if (measure === undefined || !crossOriginIsolated) return
  const measured = await measure.call(performance).catch(() => undefined) // not in every process model
  if (measured === undefined) return
  const { bytes } = measured
  divOf('machine').textContent = `${names} Memory of the page: ${bytesText(bytes)}.`
}
