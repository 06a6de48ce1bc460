/** Colours for canvases: what the tokens are in the theme of the moment. */
import { onScopeDispose, ref } from 'vue'
import { theme } from '@/shell/theme'
import { watch } from 'vue'

/** Returns the colour that a token such as "failed" stands for. */
export function colourOf(token: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(--${token})`
  document.body.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

/** Counts the changes of theme: what is painted by hand is painted again. */
export function useThemeTick() {
  const tick = ref(0)
  const media = window.matchMedia('(prefers-color-scheme: dark)')
  const changed = () => void tick.value++
  media.addEventListener('change', changed)
  watch(theme, changed, { flush: 'post' })
  onScopeDispose(() => media.removeEventListener('change', changed))
  return tick
}

/** Sizes a canvas to what it covers, sharp on any screen. Returns its context, in CSS pixels. */
export function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const scale = window.devicePixelRatio || 1
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  const context = canvas.getContext('2d')
  context?.scale(scale, scale)
  return context
}
