// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as v from 'valibot'

/* Devices and their memory, as tools of the system list them. */

/** A device for graphics as a tool of the system names it. */
export interface SystemDevice {
  readonly name: string
  readonly driver?: string
  /** bytes */
  readonly memory?: number
  /** the tool */
  readonly by: string
}

/** A tool that names devices, and how to read what it says. */
interface Tool {
  readonly command: readonly [string, ...string[]]
  read(text: string): Omit<SystemDevice, 'by'>[]
}

const MIB = 1 << 20
const SECONDS = 20

const NVIDIA: Tool = {
  command: ['nvidia-smi', '--query-gpu=name,driver_version,memory.total', '--format=csv,noheader,nounits'],
  read: (text) =>
    text.split('\n').flatMap((line) => {
      const [name, driver, mebibytes] = line.split(', ')
      if (name === undefined || driver === undefined) return []
      const memory = Number(mebibytes) * MIB
      return [{ name, driver, ...(Number.isFinite(memory) && { memory }) }]
    }),
}

const VULKAN: Tool = {
  command: ['vulkaninfo', '--summary'],
  read: (text) =>
    text.split(/^GPU\d+:$/m).flatMap((part) => {
      const of = (key: string) => new RegExp(`^\\s*${key}\\s*= (.*)$`, 'm').exec(part)?.[1]
      const name = of('deviceName')
      const driver = [of('driverName'), of('driverInfo')].filter((word) => word !== undefined).join(' ')
      return name === undefined ? [] : [{ name, driver }]
    }),
}

const DISPLAYS = v.object({
  SPDisplaysDataType: v.array(
    v.object({ sppci_model: v.string(), spdisplays_mtlgpufamilysupport: v.optional(v.string()) }),
  ),
})

const APPLE: Tool = {
  command: ['system_profiler', 'SPDisplaysDataType', '-json'],
  read: (text) =>
    v
      .parse(DISPLAYS, JSON.parse(text))
      .SPDisplaysDataType.map(({ sppci_model: name, spdisplays_mtlgpufamilysupport: driver }) => ({
        ...{ name, ...(driver !== undefined && { driver }) },
      })),
}

const CONTROLLER = v.object({ Name: v.string(), DriverVersion: v.optional(v.string()) })
const CONTROLLERS = v.union([v.array(CONTROLLER), CONTROLLER])

const WINDOWS: Tool = {
  command: [
    'powershell',
    '-NoProfile',
    '-Command',
    'Get-CimInstance Win32_VideoController | Select-Object Name, DriverVersion | ConvertTo-Json',
  ],
  read: (text) =>
    [v.parse(CONTROLLERS, JSON.parse(text))].flat().map(({ Name: name, DriverVersion: driver }) => ({
      ...{ name, ...(driver !== undefined && { driver }) },
    })),
}

const OF_PLATFORM: Readonly<Record<string, readonly Tool[]>> = {
  linux: [VULKAN, NVIDIA],
  darwin: [APPLE],
  win32: [WINDOWS],
}

/** The devices that a provider may use; none where no tool lists them, and for the processor. */
export async function systemDevices(provider: string): Promise<SystemDevice[]> {
  if (provider === 'cpu') return []
  const tools = provider === 'cuda' ? [NVIDIA] : (OF_PLATFORM[process.platform] ?? [])
  for (const tool of tools) {
    const found = await devicesBy(tool)
    if (found.length > 0) return found
  }
  return []
}

async function devicesBy({ command: [program, ...args], read }: Tool): Promise<SystemDevice[]> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: 1000 * SECONDS })
    return read(stdout).map((device) => ({ ...device, by: program }))
  } catch {
    return [] // there is no such tool, or no such device
  }
}

/** Bytes of NVIDIA devices that a process uses; undefined where nvidia-smi does not report them. */
export async function nvidiaMemory(pid: number): Promise<number | undefined> {
  const query = ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits']
  const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 1000 * SECONDS }).catch(
    () => ({ stdout: '' }),
  )
  const used = stdout.split('\n').flatMap((line) => {
    const [owner, mebibytes] = line.split(', ').map(Number)
    return owner === pid && Number.isFinite(mebibytes) ? [(mebibytes ?? 0) * MIB] : []
  })
  return used.length === 0 ? undefined : used.reduce((sum, bytes) => sum + bytes, 0)
}
