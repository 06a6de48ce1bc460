import { expect, test } from 'vitest'
import { gridFor, squareAt } from './grid'

test.each([1, 58, 1_000, 10_000])('%s squares fit into the width', (count) => {
  const grid = gridFor(count, 900)
  expect(grid.columns * (grid.side + grid.gap) - grid.gap).toBeLessThanOrEqual(900)
  expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(count)
})

test('few are large, many are small', () => {
  expect(gridFor(20, 900).side).toBe(18)
  expect(gridFor(10_000, 900).side).toBeLessThan(8)
})

test('each square is found at its middle, and nothing beside the last', () => {
  const grid = gridFor(100, 300)
  const step = grid.side + grid.gap
  for (const at of [0, 1, 50, 99]) {
    const x = (at % grid.columns) * step + grid.side / 2
    const y = Math.floor(at / grid.columns) * step + grid.side / 2
    expect(squareAt(x, y, grid, 100)).toBe(at)
  }
  expect(squareAt(299, grid.height - 1, grid, 91)).toBe(-1)
  expect(squareAt(-1, 5, grid, 100)).toBe(-1)
})
