import { describe, expect, it } from 'vitest'
import { ROW, Scroll } from './scroll'
import { Chance } from './testing/chance'

function scroll(total: number, heightOf: (row: number) => number = () => ROW, view = 600) {
  const found = new Scroll(heightOf)
  found.view = view
  found.total = total
  return found
}

describe('rows of one height', () => {
  it('a short log stands at its beginning, and is at its end', () => {
    const found = scroll(3)
    expect([found.row, found.px, found.isPinned]).toEqual([0, 0, true])
    expect(found.bar()).toEqual({ height: 600, top: 0 })
  })

  it('the bar of a log that fits below the limit is exact', () => {
    const found = scroll(1_000)
    found.toRow(0)
    found.by(1_234)
    expect([found.row, found.px]).toEqual([61, 14])
    expect(found.bar().top).toBeCloseTo(1_234, 6)
    found.fromBar(777)
    expect(found.row * ROW + found.px).toBeCloseTo(777, 6)
  })

  it('every line of ten million is reached, by the bar and by steps', () => {
    const found = scroll(10_000_000)
    expect(found.bar().height).toBe(8_000_000)
    found.toEnd()
    expect([found.row, found.px]).toEqual([9_999_970, 0])
    found.by(-1)
    expect([found.row, found.px, found.isPinned]).toEqual([9_999_969, 19, false])
    found.by(1)
    expect(found.isPinned).toBe(true)
    found.toRow(4_999_999, 0)
    expect([found.row, found.px]).toEqual([4_999_999, 0])
    const { top } = found.bar()
    found.fromBar(top)
    expect(Math.abs(found.row - 4_999_999)).toBeLessThan(2)
  })

  it('stays at the end while rows come, and in its place when it is not there', () => {
    const found = scroll(100)
    found.toEnd()
    found.total = 150
    expect(found.row).toBe(120)
    found.by(-100)
    found.total = 1_000
    expect([found.row, found.isPinned]).toEqual([115, false])
  })
})

it('however one goes, the view is within the log, and going back comes back', () => {
  for (let seed = 0; seed < 200; seed++) {
    const chance = new Chance(seed)
    const heights = Array.from({ length: 1 + chance.below(300) }, () => chance.of([0, 20, 20, 20, 60, 200]))
    const found = scroll(heights.length, (row) => heights[row] ?? ROW, 300)
    const sum = heights.reduce((one, other) => one + other, 0)
    const real = () => heights.slice(0, found.row).reduce((one, other) => one + other, 0) + found.px
    found.toRow(0)
    for (let step = 0; step < 50; step++) {
      const before = real()
      const by = chance.below(800) - 400
      found.by(by)
      expect(real()).toBe(Math.max(0, Math.min(before + by, Math.max(0, sum - 300))))
      const { top, height } = found.bar()
      expect(top).toBeGreaterThanOrEqual(0)
      expect(top).toBeLessThanOrEqual(height - 300 + 1e-6)
    }
    found.toEnd()
    expect(real()).toBe(Math.max(0, sum - 300))
  }
})
