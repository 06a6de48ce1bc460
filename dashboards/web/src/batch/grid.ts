/** A grid of squares: how large they are for so many, and which one is where. */
export interface Grid {
  side: number
  gap: number
  columns: number
  rows: number
  height: number
}

const LARGEST = 18
const SMALLEST = 5
/** Beyond this height squares get smaller, as far as they can still be seen. */
const TALLEST = 320

export function gridFor(count: number, width: number): Grid {
  for (let side = LARGEST; ; side--) {
    const gap = side > 9 ? 3 : side > 6 ? 2 : 1
    const columns = Math.max(1, Math.floor((width + gap) / (side + gap)))
    const rows = Math.ceil(count / columns)
    const height = Math.max(0, rows * (side + gap) - gap)
    if (height <= TALLEST || side === SMALLEST) return { side, gap, columns, rows, height }
  }
}

/** Returns which square a point is on, or -1. */
export function squareAt(x: number, y: number, grid: Grid, count: number): number {
  const step = grid.side + grid.gap
  const column = Math.floor(x / step)
  const row = Math.floor(y / step)
  const at = row * grid.columns + column
  return x < 0 || y < 0 || column >= grid.columns || at >= count ? -1 : at
}
