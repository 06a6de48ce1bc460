import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const server = process.env.RUNYARD_URL ?? 'http://127.0.0.1:8300'

export default defineConfig({
  // Relative: the page may be served below any path; its <base href> says which.
  base: './',
  plugins: [vue(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2022',
    // A font or image inside of a style sheet would be outside of its policy, and never cached by itself.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      '/api': {
        target: server,
        headers: process.env.RUNYARD_TOKEN ? { Authorization: `Bearer ${process.env.RUNYARD_TOKEN}` } : {},
      },
    },
  },
})
