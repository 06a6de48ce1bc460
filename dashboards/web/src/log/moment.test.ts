import { expect, test } from 'vitest'
import { lookedAt, placeOf } from './moment'

test('the line under the pointer is looked at, else the one gone to while it is in view, else the first one', () => {
  const view = { first: 100, last: 120 }
  expect(lookedAt({ hovered: 110, target: 105, ...view })).toBe(110)
  expect(lookedAt({ hovered: undefined, target: 105, ...view })).toBe(105)
  expect(lookedAt({ hovered: undefined, target: 99, ...view })).toBe(100)
  expect(lookedAt({ hovered: undefined, target: undefined, ...view })).toBe(100)
})

test('a line has its time in seconds, to parts of them', () => {
  expect(placeOf(7, '1970-01-01T00:00:02.250000Z')).toEqual({ line: 7, at: 2.25 })
  expect(placeOf(7, undefined)).toEqual({ line: 7, at: undefined })
})
