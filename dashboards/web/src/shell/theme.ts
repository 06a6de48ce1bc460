import { ref, watchEffect } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
export const THEMES: readonly Theme[] = ['system', 'light', 'dark']
const KEY = 'runyard.theme'

export const theme = ref<Theme>((document.documentElement.dataset.theme as Theme | undefined) ?? 'system')

/** Keeps the document and the next visit in the theme that was chosen; theme.js reads it before the first paint. */
export function followTheme(): void {
  watchEffect(() => {
    if (theme.value === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme.value
    try {
      localStorage.setItem(KEY, theme.value)
    } catch {
      // Storage is switched off: the choice lasts as long as the page.
    }
  })
}
