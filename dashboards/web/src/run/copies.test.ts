import { expect, test } from 'vitest'
import type { Run } from '@/client'
import { asCommand, asCurl, asPython, shell } from './copies'

const run = {
  module_id: 'train', module_name: "Anna's", command: ['python', 'a b.py', '$(reboot)'], cwd: '/data', num_cpus: 2, num_gpus: 0,
  memory: 2 ** 32, gpu_memory: 0, timeout_seconds: 90, priority: 0, max_retries: 0, labels: { kind: 'x' },
} as unknown as Run

test('a shell does nothing with what it is given', () => {
  expect(shell("it's $HOME")).toBe(`'it'\\''s $HOME'`)
  expect(shell('plain-word_1.py')).toBe('plain-word_1.py')
  expect(shell('')).toBe("''")
})

test('the command line says all that differs from nothing', () => {
  expect(asCommand(run)).toBe(
    `runyard run --name 'Anna'\\''s' --num-cpus 2 --memory 4GiB --timeout 90s --label kind=x --cwd /data -- python 'a b.py' '$(reboot)'`,
  )
})

test('curl and Python carry the same', () => {
  expect(asCurl(run, 'http://h:1')).toContain(`"memory":"4GiB","timeout":90`)
  expect(asPython(run)).toContain('command=["python", "a b.py", "$(reboot)"],')
  expect(asPython(run)).toContain('labels={"kind":"x"},')
})
