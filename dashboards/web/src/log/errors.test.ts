import { expect, it } from 'vitest'
import { isError, lastError } from './errors'

it.each([
  'ValueError: bad value',
  'torch.cuda.OutOfMemoryError: CUDA out of memory',
  'KeyboardInterrupt',
  '2026-01-31 08:00:00,123 ERROR worker: it broke',
  '[ERROR] no such file',
  '\x1b[31mERROR\x1b[0m it broke',
  '\x1b[1;31mValueError\x1b[0m: bad',
  'main.c:3:5: error: expected ;',
  'error[E0308]: mismatched types',
  'Error: Cannot find module',
  "thread 'main' panicked at src/main.rs:2:5",
  'fatal: not a git repository',
  'Segmentation fault (core dumped)',
  'Killed',
])('is an error: %j', (text) => expect(isError(text)).toBe(true))

it.each(['0 errors', 'no error', 'ERRORS_FOUND=0', 'terror: a film', 'raise ValueError("x")', '    ValueErrors', 'Killed 3 processes', '']) (
  'is none: %j',
  (text) => expect(isError(text)).toBe(false),
)

it('the last one tells best', () => {
  const lines = ['ok', 'KeyError: 1', 'during that', 'ValueError: 2', 'bye'].map((text, index) => ({ number: index + 7, text }))
  expect(lastError(lines)).toBe(10)
  expect(lastError(lines.slice(4))).toBeUndefined()
})
