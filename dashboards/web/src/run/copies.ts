/** A run as somebody would submit it again by hand. The values of its environment are known to the server only. */
import type { Run } from '@/client'
import { exactBytes } from '@/format/amount'

export function asCommand(run: Run): string {
  const options = ['--name', run.module_name, '--num-cpus', String(run.num_cpus), '--memory', exactBytes(run.memory)]
  if (run.num_gpus) options.push('--num-gpus', String(run.num_gpus))
  if (run.gpu_memory) options.push('--gpu-memory', exactBytes(run.gpu_memory))
  if (run.timeout_seconds) options.push('--timeout', `${run.timeout_seconds}s`)
  if (run.priority) options.push('--priority', String(run.priority))
  for (const [key, value] of Object.entries(run.labels)) options.push('--label', `${key}=${value}`)
  return ['runyard', 'run', ...options, '--cwd', run.cwd, '--', ...run.command].map(shell).join(' ')
}

export function asPython(run: Run): string {
  const fields: [string, unknown][] = [['command', run.command], ['name', run.module_name], ...Object.entries(requestOf(run)), ['cwd', run.cwd]]
  const lines = fields.map(([name, value]) => `    ${name}=${python(value)},`)
  return `from runyard import Module, submit\n\nrun = submit(Module(\n    ${python(run.module_id)},\n${lines.join('\n')}\n))\nprint(run.result())\n`
}

export function asCurl(run: Run, origin: string): string {
  const body = { module_id: run.module_id, name: run.module_name, command: run.command, cwd: run.cwd, ...requestOf(run) }
  return `curl ${shell(`${origin}/api/runs`)} -H "Authorization: Bearer $RUNYARD_TOKEN" -H 'Content-Type: application/json' -d ${shell(JSON.stringify(body))}`
}

function requestOf(run: Run): Record<string, unknown> {
  return {
    num_cpus: run.num_cpus,
    memory: exactBytes(run.memory),
    ...(run.num_gpus && { num_gpus: run.num_gpus }),
    ...(run.gpu_memory && { gpu_memory: exactBytes(run.gpu_memory) }),
    ...(run.timeout_seconds && { timeout: run.timeout_seconds }),
    ...(run.priority && { priority: run.priority }),
    ...(run.max_retries && { max_retries: run.max_retries }),
    ...(Object.keys(run.labels).length && { labels: run.labels }),
  }
}

/** Quotes for a POSIX shell: nothing inside of single quotes means anything. */
export function shell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** Python reads what JSON writes: texts, numbers, lists and dicts are the same in both. */
const python = (value: unknown): string => JSON.stringify(value).replace(/(?<="),(?=")/g, ', ')
