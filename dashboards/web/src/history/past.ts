/** The last hour of the nodes, as the server saw it: read once, then only what came since. */
import type { ResourcesHistory } from '@/client'

/** An hour of looks; the server keeps no more. */
const KEPT = 720

export type Column = readonly (number | null)[]

/** One amount over time: all there is, and what was declared, used by runs, used by all programs. */
export interface Past {
  name: string
  unit: 'cpus' | 'bytes'
  total: number
  declared: Column
  runs: Column
  used: Column
}

type Node = ResourcesHistory['nodes'][number]

/** Returns what was known with what came since; null when the nodes are others now, and all has to be read. */
export function joined(before: ResourcesHistory, later: ResourcesHistory, kept = KEPT): ResourcesHistory | null {
  if (shape(before) !== shape(later)) return null
  return {
    ...later,
    at: [...before.at, ...later.at].slice(-kept),
    nodes: later.nodes.map((node, i) => joinedColumns(before.nodes[i]!, node, kept)),
  }
}

/** Returns the amounts of one node, or of all together. */
export function pastOf(history: ResourcesHistory, node?: string): Past[] {
  const nodes = history.nodes.filter((each) => !node || each.node === node)
  const gpus = nodes.flatMap((each) => each.gpus)
  const many = !node && nodes.length > 1
  const cpus = amount('CPUs', 'cpus', nodes, (n) => n.num_cpus, (n) => [n.declared_cpus, n.runs_cpus, n.used_cpus])
  const memory = amount('Memory', 'bytes', nodes, (n) => n.memory, (n) => [n.declared_memory, n.runs_memory, n.used_memory])
  const columns = (g: (typeof gpus)[number]): [Column, Column, Column] => [g.declared_memory, g.runs_memory, g.used_memory]
  const vram = many
    ? [amount('GPU memory', 'bytes', gpus, (g) => g.memory, columns)]
    : gpus.map((gpu) => amount(`GPU ${gpu.index} memory`, 'bytes', [gpu], (g) => g.memory, columns))
  return [memory, ...(gpus.length ? vram : []), cpus]
}

/** Returns the memory of all GPUs of all nodes as one amount; null where there is none. */
export function vramOf(history: ResourcesHistory): Past | null {
  const gpus = history.nodes.flatMap((each) => each.gpus)
  return gpus.length ? amount('GPU memory', 'bytes', gpus, (g) => g.memory, (g) => [g.declared_memory, g.runs_memory, g.used_memory]) : null
}

function amount<T>(name: string, unit: Past['unit'], parts: readonly T[], total: (part: T) => number, of: (part: T) => [Column, Column, Column]): Past {
  const columns = parts.map(of)
  const [declared, runs, used] = [0, 1, 2].map((which) => summed(columns.map((three) => three[which]!)))
  return { name, unit, total: parts.reduce((all, part) => all + total(part), 0), declared: declared!, runs: runs!, used: used! }
}

/** Adds columns; where none has a value, there is none. */
function summed(columns: readonly Column[]): Column {
  const first = columns[0] ?? []
  if (columns.length === 1) return first
  return first.map((_, i) => columns.reduce<number | null>((sum, column) => (column[i] == null ? sum : (sum ?? 0) + column[i]), null))
}

const shape = (history: ResourcesHistory) => JSON.stringify(history.nodes.map((node) => [node.node, node.gpus.map((gpu) => gpu.index)]))

function joinedColumns<T extends object>(before: T, later: T, kept: number): T {
  const now = { ...later } as Record<string, unknown>
  for (const [name, value] of Object.entries(later)) {
    const old = (before as Record<string, unknown>)[name]
    if (name === 'gpus') now[name] = (value as Node['gpus']).map((gpu, i) => joinedColumns((old as Node['gpus'])[i]!, gpu, kept))
    else if (Array.isArray(value)) now[name] = [...(old as unknown[]), ...value].slice(-kept)
  }
  return now as T
}
