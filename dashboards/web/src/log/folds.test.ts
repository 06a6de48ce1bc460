import { expect, it } from 'vitest'
import { folds } from './folds'

const TRACEBACK = [
  'start',
  'Traceback (most recent call last):',
  '  File "a.py", line 1, in <module>',
  '    main()',
  '  File "a.py", line 2, in main',
  '    raise ValueError("x")',
  'ValueError: x',
  'after',
]

it('hides the frames, and neither the head nor the error', () => {
  expect(folds(TRACEBACK, 101)).toEqual([{ first: 103, last: 106 }])
})

it('finds those that a colour or a prefix goes before', () => {
  expect(folds(TRACEBACK.map((line) => `\x1b[31m${line}\x1b[0m`), 1)).toEqual([{ first: 3, last: 6 }])
  expect(folds(TRACEBACK.map((line) => `  ${line}`), 1)).toEqual([{ first: 3, last: 6 }])
})

it('finds one after the other', () => {
  expect(folds([...TRACEBACK, '', 'During handling of the above exception:', '', ...TRACEBACK], 1)).toHaveLength(2)
})

it('finds frames of Java and JavaScript', () => {
  const lines = ['Exception in thread "main" java.lang.X: y', '\tat a.b(C.java:1)', '\tat a.c(C.java:2)', '\t... 3 more', 'next']
  expect(folds(lines, 1)).toEqual([{ first: 2, last: 4 }])
})

it('leaves short ones and plain indented text alone', () => {
  expect(folds(['Traceback (most recent call last):', '  File "a.py"', 'KeyError: 1'], 1)).toEqual([])
  expect(folds(['list:', '  one', '  two', '  three', '  four'], 1)).toEqual([])
})

it('ends where lines are not known yet', () => {
  expect(folds([...TRACEBACK.slice(0, 4), undefined, 'x'], 1)).toEqual([])
})
