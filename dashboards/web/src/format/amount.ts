const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Returns bytes as people read them: "4.3 GiB". */
export function bytes(value: number | null | undefined): string {
  if (value == null) return '–'
  let unit = 0
  let amount = value
  while (Math.abs(amount) >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024
    unit++
  }
  return `${rounded(amount)} ${UNITS[unit]}`
}

/** Returns bytes as the API takes them back, without a loss: "4GiB", else the number. */
export function exactBytes(value: number): string {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const)
    if (value > 0 && value % size === 0) return `${value / size}${unit}`
  return String(value)
}

export function count(value: number): string {
  return value.toLocaleString('en-US')
}

export function percent(share: number | null | undefined): string {
  return share == null ? '–' : `${Math.floor(Math.min(1, Math.max(0, share)) * 100)}%`
}

/** Returns a number with as few digits as say enough: 0.25, 4.3, 16. */
export function rounded(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 1 ? 1 : 2
  const text = value.toFixed(digits)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
