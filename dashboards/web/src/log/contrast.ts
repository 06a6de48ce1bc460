/** Colours that a program chose for a dark terminal, made readable on any background. */

/** Text has at least this contrast to what is behind it: WCAG AA asks for 4.5, and rows are tinted. */
export const ENOUGH = 5

export type Rgb = readonly [number, number, number]

export function unpacked(colour: number): Rgb {
  return [(colour >> 16) & 255, (colour >> 8) & 255, colour & 255]
}

/** The colour itself where it can be read on `behind`, else the nearest mix with black or white that can. */
export function readable(colour: Rgb, behind: Rgb): Rgb {
  if (contrast(colour, behind) >= ENOUGH) return colour
  const towards: Rgb = luminance(behind) > 0.18 ? [0, 0, 0] : [255, 255, 255]
  let low = 0
  let high = 1
  for (let step = 0; step < 8; step++) {
    const middle = (low + high) / 2
    if (contrast(mixed(colour, towards, middle), behind) >= ENOUGH) high = middle
    else low = middle
  }
  return mixed(colour, towards, high)
}

export function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function mixed(from: Rgb, to: Rgb, share: number): Rgb {
  const part = (index: 0 | 1 | 2) => Math.round(from[index] + (to[index] - from[index]) * share)
  return [part(0), part(1), part(2)]
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
