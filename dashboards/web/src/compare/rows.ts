/** The rows of a comparison: side by side or one below the other, with long parts that agree folded away. */
import type { Block } from './diff'

/** A line of one log by its index, or none where the other one has more. */
export interface Row {
  kind: 'same' | 'changed' | 'fold'
  a: number | null
  b: number | null
  /** For a fold: how many lines it hides, and where it stands, to open it by. */
  count?: number
  fold?: number
}

/** Lines that agree and are shown around what differs. */
const AROUND = 3

/** Returns the rows; `open` are the folds that somebody opened, by the line of `a` that they begin with. */
export function rowsOf(blocks: readonly Block[], isSplit: boolean, open: ReadonlySet<number>): Row[] {
  return blocks.flatMap((block, i) => {
    if (!block.isSame) return isSplit ? paired(block) : stacked(block)
    return folded(block, i === 0, i === blocks.length - 1, open)
  })
}

/** Returns at which rows a difference begins. */
export function differences(rows: readonly Row[]): number[] {
  return rows.flatMap((row, i) => (row.kind === 'changed' && rows[i - 1]?.kind !== 'changed' ? [i] : []))
}

function folded(block: Block, isFirst: boolean, isLast: boolean, open: ReadonlySet<number>): Row[] {
  const head = isFirst ? 0 : AROUND
  const tail = isLast ? 0 : AROUND
  const hidden = block.aCount - head - tail
  const line = (i: number): Row => ({ kind: 'same', a: block.a + i, b: block.b + i })
  if (hidden < 2 || open.has(block.a)) return range(0, block.aCount).map(line)
  const fold: Row = { kind: 'fold', a: null, b: null, count: hidden, fold: block.a }
  return [...range(0, head).map(line), fold, ...range(block.aCount - tail, block.aCount).map(line)]
}

function paired(block: Block): Row[] {
  const within = (i: number, from: number, count: number) => (i < count ? from + i : null)
  return range(0, Math.max(block.aCount, block.bCount)).map((i) => ({ kind: 'changed', a: within(i, block.a, block.aCount), b: within(i, block.b, block.bCount) }))
}

function stacked(block: Block): Row[] {
  return [
    ...range(block.a, block.a + block.aCount).map((a): Row => ({ kind: 'changed', a, b: null })),
    ...range(block.b, block.b + block.bCount).map((b): Row => ({ kind: 'changed', a: null, b })),
  ]
}

/** The part of each of two texts that differs, as [start, end]; what is around it agrees. */
export function changedPart(a: string, b: string): { a: [number, number]; b: [number, number] } {
  const most = Math.min(a.length, b.length)
  let start = 0
  while (start < most && a[start] === b[start]) start++
  let end = 0
  while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  return { a: [start, a.length - end], b: [start, b.length - end] }
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
