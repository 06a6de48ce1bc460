import { expect, it } from 'vitest'
import { everyUpdate, lastUpdate } from './updates'

const seen = (text: string) => {
  const { start, end, earlier } = lastUpdate(text)
  return [text.slice(start, end), earlier]
}

it.each([
  ['', '', 0],
  ['plain', 'plain', 0],
  ['1%\r2%\r3%', '3%', 2],
  ['\r1%\r2%', '2%', 1],
  ['1%\r2%\r', '2%', 1],
  ['1%\r\r2%', '2%', 1],
  ['done\r      \r', 'done', 0],
  ['1%\r2%\r\x1b[K', '2%', 1],
  ['\r', '', 0],
])('of %j the last is shown', (text, shown, earlier) => {
  expect(seen(text)).toEqual([shown, earlier])
})

it('every one can be shown', () => {
  const text = '1%\r2%\r   \r3%\r'
  expect(everyUpdate(text).map(({ start, end }) => text.slice(start, end))).toEqual(['1%', '2%', '3%'])
  expect(everyUpdate('')).toEqual([{ start: 0, end: 0 }])
})

it('a million of them are no trouble', () => {
  const text = '\r'.repeat(1_000_000) + 'x'
  const start = performance.now()
  expect(seen(text)).toEqual(['x', 0])
  expect(performance.now() - start).toBeLessThan(1_000)
})
