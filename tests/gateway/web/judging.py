"""What every page must be: no sideways scrolling, a name on every control, contrast under every text."""

from __future__ import annotations

from playwright.async_api import Page


async def fits(page: Page) -> bool:
    """Nothing makes the page scroll sideways."""
    return await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def faults(page: Page) -> list[str]:
    """Controls without a name, and texts too faint to be read."""
    return [*await page.evaluate(NAMELESS), *await page.evaluate(FAINT)]


NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
  .filter((it) => it.checkVisibility() && !(it.textContent.trim() || it.ariaLabel || it.labels?.length))
  .map((it) => it.outerHTML)"""
"""Controls that a screen reader has no name for."""

FAINT = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (it) => {
    for (let at = it; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const it of document.querySelectorAll("body *")) {
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !it.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const [a, b] = [light(rgb(getComputedStyle(it).color)), light(behind(it))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${it.outerHTML.slice(0, 80)}`);
  }
  return faint;
}"""
"""Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3)."""
