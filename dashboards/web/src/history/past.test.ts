import { expect, test } from 'vitest'
import type { ResourcesHistory } from '@/client'
import { joined, pastOf, vramOf } from './past'

const node = (name: string, values: (number | null)[], gpus = 1): ResourcesHistory['nodes'][number] => ({
  node: name, num_cpus: 8, memory: 16,
  declared_cpus: values, runs_cpus: values, used_cpus: values, declared_memory: values, runs_memory: values, used_memory: values,
  gpus: Array.from({ length: gpus }, (_, index) => ({ index, name: 'GPU', memory: 4, declared_memory: values, runs_memory: values, used_memory: values })),
})
const history = (at: number[], nodes: ResourcesHistory['nodes']): ResourcesHistory => ({ interval_seconds: 5, at, nodes })

test('what came since goes on where the rest ended, and the oldest goes', () => {
  const all = joined(history([1, 2], [node('a', [10, 20])]), history([3], [node('a', [30])]), 2)!
  expect(all.at).toEqual([2, 3])
  expect(all.nodes[0]!.declared_memory).toEqual([20, 30])
  expect(all.nodes[0]!.gpus[0]!.used_memory).toEqual([20, 30])
})

test('with other nodes, or other GPUs, all is to be read again', () => {
  const before = history([1], [node('a', [1])])
  expect(joined(before, history([2], [node('a', [1]), node('b', [1])]))).toBeNull()
  expect(joined(before, history([2], [node('a', [1], 2)]))).toBeNull()
})

test('nodes are added up, and what nobody measured stays unknown', () => {
  const both = history([1, 2, 3], [node('a', [1, null, null]), node('b', [2, 3, null])])
  const [memory, vram, cpus] = pastOf(both)
  expect([memory!.total, vram!.total, cpus!.total]).toEqual([32, 8, 16])
  expect(memory!.declared).toEqual([3, 3, null])
  expect(pastOf(both, 'b')[0]).toMatchObject({ total: 16, runs: [2, 3, null] })
  expect(pastOf(history([1], [node('a', [1], 2)])).map((past) => past.name)).toEqual(['Memory', 'GPU 0 memory', 'GPU 1 memory', 'CPUs'])
  expect(vramOf(history([1], [node('a', [1], 0)]))).toBeNull()
})
