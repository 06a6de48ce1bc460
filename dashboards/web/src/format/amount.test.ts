import { expect, test } from 'vitest'
import { bytes, exactBytes, percent, rounded } from './amount'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [4.3 * 2 ** 30, '4.3 GiB'],
  [16 * 2 ** 30, '16 GiB'],
  [null, '–'],
])('%s bytes read %s', (value, text) => expect(bytes(value)).toBe(text))

test.each([
  [4 * 2 ** 30, '4GiB'],
  [1.5 * 2 ** 30, '1536MiB'],
  [1000, '1000'],
  [0, '0'],
])('%s goes back to the server as %s', (value, text) => expect(exactBytes(value)).toBe(text))

test('a share never reads 100% before it is whole', () => {
  expect(percent(0.999)).toBe('99%')
  expect(percent(1)).toBe('100%')
})

test('numbers have no more digits than they need', () => {
  expect([0.25, 0.5, 2, 4.25, 4.04, 100, 250.4].map(rounded)).toEqual(['0.25', '0.5', '2', '4.3', '4', '100', '250'])
})
