/** How an amount of a machine is split: what runs use of it, what is reserved for them, other programs, the rest. */
export interface Split {
  used: number
  reserved: number
  other: number
  free: number
  total: number
}

/**
 * Splits an amount.
 *
 * @param total all there is
 * @param declared what active runs declared
 * @param used what active runs are measured to use
 * @param busy what all programs are measured to use; null where that cannot be measured
 */
export function split(total: number, declared: number, used: number, busy: number | null): Split {
  const byRuns = clamp(used, total)
  const reserved = clamp(declared - byRuns, total - byRuns)
  const other = clamp((busy ?? 0) - used, total - byRuns - reserved)
  return { used: byRuns, reserved, other, free: Math.max(0, total - byRuns - reserved - other), total }
}

const clamp = (value: number, most: number) => Math.min(Math.max(0, most), Math.max(0, value))
