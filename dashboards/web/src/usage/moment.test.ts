import { expect, test } from 'vitest'
import { formatMoment, indexAt, parseMoment, stepped } from './moment'

const at = [10, 11, 12, 20, 21]

test('a moment goes through the address, to the millisecond', () => {
  expect(formatMoment(1_790_000_000.1254)).toBe('2026-09-21T14:13:20.125Z')
  expect(parseMoment('2026-09-21T14:13:20.125Z')).toBe(1_790_000_000.125)
  expect(['', '7', 'now', '2026', '2026-99-99T00:00:00Z', '1960-01-01T00:00:00Z'].map(parseMoment)).toEqual(Array(6).fill(undefined))
})

test('the sample of a moment is the last one that is not after it', () => {
  expect([0, 10, 11.5, 19, 20, 99].map((moment) => indexAt(at, moment))).toEqual([0, 0, 1, 2, 3, 4])
})

test('keys go from sample to sample, and not past the ends', () => {
  expect(stepped('ArrowLeft', at, undefined)).toBe(20)
  expect(stepped('ArrowLeft', at, 15)).toBe(12)
  expect(stepped('ArrowLeft', at, 12)).toBe(11)
  expect(stepped('ArrowLeft', at, 10)).toBe(10)
  expect(stepped('ArrowRight', at, 15)).toBe(20)
  expect(stepped('ArrowRight', at, 21)).toBe(21)
  expect([stepped('Home', at, 20), stepped('End', at, 10), stepped('PageDown', at, 21)]).toEqual([10, 21, 10])
  expect(stepped('x', at, 12)).toBeUndefined()
})
