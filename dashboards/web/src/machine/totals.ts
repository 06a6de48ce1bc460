import type { Node } from '@/client'
import { liveRuns } from '@/live/runs'
import { samplesOf } from '@/live/samples'
import { split, type Split } from './share'

/** What active runs are measured to use just now: cores, bytes, bytes of GPU memory by node and GPU. */
export function useOfRuns(node?: string) {
  const sum = { cpus: 0, memory: 0, gpuMemory: new Map<string, number>() }
  for (const run of liveRuns.values()) {
    if (run.status !== 'running' || (node && run.node !== node)) continue
    const last = samplesOf(run.run_id).at(-1)
    if (!last) continue
    sum.cpus += last.cpu / 100
    sum.memory += last.memory
    const gpu = run.gpu_ids[0]
    if (gpu != null && last.gpuMemory) sum.gpuMemory.set(`${run.node} ${gpu}`, (sum.gpuMemory.get(`${run.node} ${gpu}`) ?? 0) + last.gpuMemory)
  }
  return sum
}

export function cpuSplit(nodes: readonly Node[], used: number): Split {
  const total = sum(nodes, (node) => node.capacity.num_cpus)
  const busy = sum(nodes, (node) => (node.use.cpu_busy_percent / 100) * node.capacity.num_cpus)
  return split(total, sum(nodes, (node) => node.declared.num_cpus), used, busy)
}

export function memorySplit(nodes: readonly Node[], used: number): Split {
  const total = sum(nodes, (node) => node.capacity.memory)
  const busy = sum(nodes, (node) => Math.max(0, node.capacity.memory - node.use.memory_free))
  return split(total, sum(nodes, (node) => node.declared.memory), used, busy)
}

export function gpuSplit(nodes: readonly Node[], used: ReadonlyMap<string, number>): Split {
  const gpus = nodes.flatMap((node) => node.gpus.map((gpu) => ({ gpu, used: used.get(`${node.node} ${gpu.index}`) ?? 0 })))
  const total = sum(gpus, ({ gpu }) => gpu.memory_bytes)
  const busy = sum(gpus, ({ gpu }) => (gpu.free_bytes == null ? 0 : gpu.memory_bytes - gpu.free_bytes))
  return split(total, sum(gpus, ({ gpu }) => gpu.declared_memory_bytes), sum(gpus, (each) => each.used), busy)
}

const sum = <T>(items: readonly T[], of: (item: T) => number) => items.reduce((all, item) => all + of(item), 0)
