/** Returns seconds as people read them: "0.3 s", "42 s", "3 m 05 s", "2 h 10 m", "4 d 3 h". */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return '–'
  if (seconds < 0) return '0 s'
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${pad(whole % 60)} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} m`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** Returns how long ago `at` was: "just now", "12 s ago", "3 h ago". */
export function ago(at: string | null | undefined, now: number): string {
  if (!at) return '–'
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000)
  if (seconds < 3) return 'just now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} d ago`
}

/** Returns date and time of day in the reader's zone, to the second. */
export function moment(at: string | null | undefined): string {
  if (!at) return '–'
  const date = new Date(at)
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

/** Returns the time of day of seconds since the epoch in the reader's zone, to the second. */
export function clock(at: number): string {
  const date = new Date(at * 1000)
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

const pad = (value: number) => String(value).padStart(2, '0')
