import { expect, test } from 'vitest'
import { MOST_LINES, beginningOf, parseSide } from './read'

test('a log is its lines, with or without a line feed at the end', () => {
  expect(beginningOf('one\ntwo\n', false)).toEqual({ lines: ['one', 'two'], isCut: false })
  expect(beginningOf('one\ntwo', false)).toEqual({ lines: ['one', 'two'], isCut: false })
  expect(beginningOf('', false)).toEqual({ lines: [], isCut: false })
})

test('of a log that goes on, half a line is left out', () => {
  expect(beginningOf('one\ntw', true)).toEqual({ lines: ['one'], isCut: true })
})

test('no more lines are kept than can be compared', () => {
  const whole = beginningOf('x\n'.repeat(MOST_LINES), false)
  expect([whole.lines.length, whole.isCut]).toEqual([MOST_LINES, false])
  const more = beginningOf('x\n'.repeat(MOST_LINES + 5), false)
  expect([more.lines.length, more.isCut]).toEqual([MOST_LINES, true])
})

test.each([
  ['01ABC', { runId: '01ABC', attempt: null }],
  ['01ABC:3', { runId: '01ABC', attempt: 3 }],
  ['', null],
  ['../x', null],
])('%j names a side', (text, side) => expect(parseSide(text)).toEqual(side))
