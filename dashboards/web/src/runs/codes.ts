/** Returns the exit codes that a text names, each once: "1, 137" or "1 137"; null when it names something else too. */
export function exitCodes(text: string): number[] | null {
  const words = text.split(/[\s,]+/).filter(Boolean)
  const codes = words.map((word) => (/^-?\d{1,10}$/.test(word) ? Number(word) : NaN))
  const isGood = codes.every((code) => code >= LOWEST && code <= HIGHEST)
  return isGood ? [...new Set(codes)] : null
}

/** Windows has codes up to 32 bits, with or without a sign. */
const LOWEST = -(2 ** 31)
const HIGHEST = 2 ** 32 - 1
