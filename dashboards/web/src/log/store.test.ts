import { expect, it } from 'vitest'
import { type Line, type Window } from './line'
import { LineStore, WINDOW } from './store'

const line = (number: number, more: Partial<Line> = {}): Line => ({
  number, offset: number * 10, length: 9, text: `line ${number}`, isCut: false, ...more,
})
const window = (first: number, last: number, total: number, more: Partial<Window> = {}): Window => ({
  lines: Array.from({ length: last - first + 1 }, (_, index) => line(first + index)),
  total,
  size: total * 10 + 10,
  gap: null,
  ...more,
})

function open(total: number) {
  const store = new LineStore()
  store.begin(window(total - 99, total, total))
  return store
}

it('asks for windows of what is not there, and for nothing else', () => {
  const store = open(10_000_000)
  expect(store.total).toBe(10_000_000)
  expect(store.missing({ first: 9_999_950, last: 10_000_050 })).toEqual([])
  expect(store.missing({ first: 5_000_010, last: 5_000_050 })).toEqual([{ first: 5_000_001, last: 5_000_400 }])
  store.put(window(5_000_001, 5_000_400, 10_000_000))
  expect(store.missing({ first: 5_000_010, last: 5_000_050 })).toEqual([])
  expect(store.get(5_000_010)!.text).toBe('line 5000010')
  expect(store.missing({ first: 5_000_390, last: 5_000_410 })).toEqual([{ first: 5_000_401, last: 5_000_800 }])
})

it('asks for the rest of a window of which long lines came only in part', () => {
  const store = open(1_000)
  store.put(window(1, 50, 1_000))
  expect(store.missing({ first: 1, last: 80 })).toEqual([{ first: 51, last: WINDOW }])
})

it('keeps little of what was looked at', () => {
  const store = open(10_000_000)
  for (let first = 1; first < 400_000; first += WINDOW) store.put(window(first, first + WINDOW - 1, 10_000_000))
  let kept = 0
  for (let number = 1; number < 400_000; number++) kept += store.get(number) ? 1 : 0
  expect(kept).toBeLessThanOrEqual(41 * WINDOW)
  expect(store.get(399_999)).toBeDefined()
})

it('a line that was unfinished in an answer is taken from the stream', () => {
  const store = new LineStore()
  store.begin(window(1, 3, 3, { size: 39 }))
  store.push('line 3 is longer\n', 30, 47)
  expect(store.get(3)!.text).toBe('line 3 is longer')
})

it('times are asked for where they are wanted, of the last line too', () => {
  const store = open(100)
  expect(store.missing({ first: 90, last: 100 }, true)).toEqual([{ first: 90, last: 100 }])
  const at = '2026-01-31T08:00:00.000000Z'
  store.put({ ...window(90, 100, 100), lines: window(90, 100, 100).lines.map((found) => ({ ...found, at })) })
  expect(store.missing({ first: 90, last: 100 }, true)).toEqual([])
  expect(store.timeOf(100)).toBe(at)
})

it('lines get other numbers when a part of the log was dropped', () => {
  const store = open(1_000)
  const { edition } = store
  store.put(window(1, 400, 1_000))
  store.push('more\n', 10_010, 10_015)
  store.put(window(1, 400, 600, { size: 10_010, gap: { offset: 3_000, end: 7_000 } }))
  expect(store.edition).toBe(edition + 1)
  expect([store.total, store.get(601)!.text, store.get(600)!.text]).toEqual([601, 'more', 'line 1000'])
})
