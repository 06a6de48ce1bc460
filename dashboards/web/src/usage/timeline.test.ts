import { expect, test } from 'vitest'
import { joined } from './timeline'

const kept = { at: [10, 20], cpu_percent: [50, 60], memory: [1, 2], gpu_memory: [null, 5], gpu_percent: [null, 90] }

test('live samples go on where the kept ones end, none twice', () => {
  const samples = [20, 21, 22].map((at) => ({ at, cpu: at, memory: at, gpuMemory: null }))
  const all = joined(kept, samples)
  expect(all.at).toEqual([10, 20, 21, 22])
  expect(all.cpu_percent).toEqual([50, 60, 21, 22])
  expect(new Set(Object.values(all).map((column) => column.length))).toEqual(new Set([4]))
})
