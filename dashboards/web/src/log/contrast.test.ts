import { expect, it } from 'vitest'
import { ENOUGH, contrast, readable, type Rgb } from './contrast'

const SHADES = [0, 60, 128, 190, 255]

it('every colour is readable on both themes, and stays as it is where it was', () => {
  for (const behind of [[255, 255, 255], [13, 15, 19], [128, 128, 128]] as Rgb[]) {
    for (const red of SHADES)
      for (const green of SHADES)
        for (const blue of SHADES) {
          const colour: Rgb = [red, green, blue]
          const found = readable(colour, behind)
          expect(contrast(found, behind)).toBeGreaterThan(ENOUGH - 0.15)
          if (contrast(colour, behind) >= ENOUGH) expect(found).toEqual(colour)
        }
  }
})

it('a colour keeps its hue', () => {
  const [red, green, blue] = readable([255, 255, 0], [255, 255, 255])
  expect(red).toBe(green)
  expect(blue).toBeLessThan(red / 2)
})
