import { expect, test } from 'vitest'
import { ago, duration } from './time'

test.each([
  [0.31, '0.3 s'],
  [42, '42 s'],
  [59.7, '1 m 00 s'],
  [185, '3 m 05 s'],
  [7_800, '2 h 10 m'],
  [97 * 3_600, '4 d 1 h'],
  [null, '–'],
])('%s seconds read %s', (seconds, text) => expect(duration(seconds)).toBe(text))

test('a clock that is behind the server shows nothing in the future', () => {
  expect(ago('2026-01-31T08:00:10Z', Date.parse('2026-01-31T08:00:00Z'))).toBe('just now')
})
