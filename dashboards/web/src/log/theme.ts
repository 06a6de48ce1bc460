/** The colours that an element has in the theme that is on. */

import type { Rgb } from './contrast'
import type { Theme } from './palette'

export function themeOf(element: Element): Theme {
  const { backgroundColor, color } = getComputedStyle(element)
  return { paper: rgb(backgroundColor) ?? [255, 255, 255], ink: rgb(color) ?? [0, 0, 0] }
}

function rgb(text: string): Rgb | undefined {
  const [red, green, blue] = (/^rgba?\(([^)]+)\)/.exec(text)?.[1] ?? '').split(/[ ,/]+/).map(Number)
  return red === undefined || green === undefined || blue === undefined ? undefined : [red, green, blue]
}
