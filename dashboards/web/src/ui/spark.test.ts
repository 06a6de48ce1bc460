import { expect, test } from 'vitest'
import { sparkPath } from './spark'

test('one value makes no line', () => expect(sparkPath([3], 4, 60)).toBeNull())

test('the newest value is at the right, the limit at the top, and what passes it is cut', () => {
  const path = sparkPath([0, 4, 8], 4, 3)
  expect(path?.line).toBe('M0.0,20.0 L30.0,1.0 L60.0,1.0')
})

test('only the last values are shown', () => {
  expect(sparkPath([9, 9, 0, 0], 4, 2)?.line).toBe('M0.0,20.0 L60.0,20.0')
})
