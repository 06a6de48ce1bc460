/** Which runs a monitor shows and how; all of it is in the page's address. */

export type Layout = 'one' | 'two' | 'four' | 'merged'
export const LAYOUTS: readonly Layout[] = ['one', 'two', 'four', 'merged']

/** A stream takes this many logs, and nobody looks at more. */
export const MOST = 50

export interface Board {
  /** The runs, in the order of their tabs. */
  readonly runs: readonly string[]
  readonly active: string | undefined
  readonly layout: Layout
}

type Query = Record<string, string | null | (string | null)[] | undefined>

export function fromQuery(query: Query): Board {
  const all = [query.run ?? []].flat().filter((run): run is string => Boolean(run))
  const runs = [...new Set(all)].slice(0, MOST)
  const active = one(query.active)
  const layout = one(query.layout)
  return {
    runs,
    active: active !== undefined && runs.includes(active) ? active : runs[0],
    layout: LAYOUTS.find((known) => known === layout) ?? 'one',
  }
}

/** The query that `fromQuery` reads; what goes without saying is left out. */
export function toQuery({ runs, active, layout }: Board): Record<string, string | string[]> {
  return {
    ...(runs.length ? { run: [...runs] } : {}),
    ...(active !== undefined && active !== runs[0] ? { active } : {}),
    ...(layout === 'one' ? {} : { layout }),
  }
}

/** Open a run, or show it where it is open. */
export function opened(board: Board, run: string): Board {
  if (board.runs.includes(run)) return { ...board, active: run }
  return { ...board, runs: [...board.runs, run].slice(-MOST), active: run }
}

/** Close a run; if it was the active one, its neighbour on the right is next, or that on the left of the last. */
export function closed(board: Board, run: string): Board {
  const at = board.runs.indexOf(run)
  if (at < 0) return board
  const runs = board.runs.filter((other) => other !== run)
  return { ...board, runs, active: board.active === run ? runs[Math.min(at, runs.length - 1)] : board.active }
}

/** Go so many tabs on, around both ends. */
export function stepped(board: Board, by: number): Board {
  const { length } = board.runs
  if (!length) return board
  const at = board.runs.indexOf(board.active ?? '')
  return { ...board, active: board.runs[(at + by + length) % length] }
}

/** The runs that are side by side: the active one and those after it, or before it at the end. */
export function inView({ runs, active, layout }: Board): readonly string[] {
  const many = { one: 1, two: 2, four: 4, merged: 0 }[layout]
  const at = Math.max(0, runs.indexOf(active ?? ''))
  const start = Math.max(0, Math.min(at, runs.length - many))
  return runs.slice(start, start + many)
}

function one(value: Query[string]): string | undefined {
  return (Array.isArray(value) ? value[0] : value) ?? undefined
}
