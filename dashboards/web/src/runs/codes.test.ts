import { expect, test } from 'vitest'
import { exitCodes } from './codes'

test.each([
  ['', []],
  ['137', [137]],
  ['1, 137  1', [1, 137]],
  ['-1073741819,0', [-1073741819, 0]],
  ['4294967295', [4294967295]],
])('%j names %j', (text, codes) => expect(exitCodes(text)).toEqual(codes))

test.each(['x', '1 two', '1.5', '4294967296', '-2147483649', '--1'])('%j names no exit codes', (text) => expect(exitCodes(text)).toBeNull())
