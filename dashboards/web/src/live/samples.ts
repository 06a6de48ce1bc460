/** The last minute of each active run's use, as it came over the stream. */
import { shallowRef } from 'vue'
import type { UsageEvent } from './event'

export interface Sample {
  /** Seconds since the epoch. */
  at: number
  /** Percent of one core. */
  cpu: number
  /** Bytes. */
  memory: number
  /** Bytes; null where it cannot be measured. */
  gpuMemory: number | null
}

export const SAMPLES_KEPT = 60

const byRun = new Map<string, Sample[]>()
const lastLines = new Map<string, string>()

/** Changes with each sample taken: what shows samples reads it, and is drawn again. */
export const sampleTick = shallowRef(0)

export function takeUsage(event: UsageEvent): void {
  const seen = new Set<string>()
  for (const use of event.runs) {
    seen.add(use.run_id)
    const samples = byRun.get(use.run_id) ?? []
    samples.push({ at: event.at, cpu: use.cpu_percent, memory: use.memory, gpuMemory: use.gpu_memory ?? null })
    if (samples.length > SAMPLES_KEPT) samples.shift()
    byRun.set(use.run_id, samples)
    if (use.last_line) lastLines.set(use.run_id, use.last_line)
  }
  for (const runId of byRun.keys()) if (!seen.has(runId)) forgetSamples(runId)
  sampleTick.value++
}

export function samplesOf(runId: string): readonly Sample[] {
  void sampleTick.value
  return byRun.get(runId) ?? []
}

export function lastLineOf(runId: string): string | null {
  void sampleTick.value
  return lastLines.get(runId) ?? null
}

function forgetSamples(runId: string): void {
  byRun.delete(runId)
  lastLines.delete(runId)
}
