import { expect, test } from 'vitest'
import { comparedText, shownText } from './text'

const as = (line: string, times: boolean, numbers = false) => comparedText(shownText(line), { times, numbers })

test.each([
  ['2026-01-31T08:00:00.123Z start', '2026-02-01T09:10:11Z start'],
  ['2026-01-31 08:00:00,123 INFO start', '2025-12-31 23:59:59,9 INFO start'],
  ['[08:00:01] start', '[9:10:11.5] start'],
  ['done in 0.4 s', 'done in 12s'],
  ['took 3ms', 'took 250 ms'],
])('with times left out, %j is %j', (a, b) => {
  expect(as(a, true)).toBe(as(b, true))
  expect(as(a, false)).not.toBe(as(b, false))
})

test('numbers that are no times stay, unless they are left out too', () => {
  expect(as('loss 0.4123', true)).not.toBe(as('loss 0.4124', true))
  expect(as('loss 0.4123', true, true)).toBe(as('loss 1e-5', true, true))
  expect(as('port 8300', true)).toBe('port 8300')
})

test('a progress bar is its last update, without colours', () => {
  expect(shownText(' 10%\r 50%\r\x1b[32m100%\x1b[0m  ')).toBe('100%')
})
