import { onMounted, onScopeDispose, ref, type Ref } from 'vue'

/** Returns the width of an element as it is now. */
export function useWidth(element: Readonly<Ref<HTMLElement | null>>): Ref<number> {
  const width = ref(0)
  const observer = new ResizeObserver((entries) => (width.value = entries[0]?.contentRect.width ?? 0))
  onMounted(() => {
    if (!element.value) return
    width.value = element.value.clientWidth
    observer.observe(element.value)
  })
  onScopeDispose(() => observer.disconnect())
  return width
}
