"""Pages in a real browser: Debian's Chromium, which `make browser` finds, driven by Playwright."""
