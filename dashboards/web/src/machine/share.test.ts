import { expect, test } from 'vitest'
import { split } from './share'

test('the parts make up the whole', () => {
  expect(split(16, 8, 3, 5)).toEqual({ used: 3, reserved: 5, other: 2, free: 6, total: 16 })
})

test('runs that use more than they declared reserve nothing more', () => {
  expect(split(16, 2, 6, 6)).toEqual({ used: 6, reserved: 0, other: 0, free: 10, total: 16 })
})

test('measurements of different moments never make a part negative', () => {
  expect(split(8, 4, 5, 3)).toEqual({ used: 5, reserved: 0, other: 0, free: 3, total: 8 })
  expect(split(8, 20, 2, 30)).toEqual({ used: 2, reserved: 6, other: 0, free: 0, total: 8 })
})
