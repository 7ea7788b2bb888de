// SPDX-License-Identifier: Apache-2.0

/* Runs in the page under test: measures what a reader sees. */
const boxOf = (node) => node.getBoundingClientRect()
const isShown = (node) => node.checkVisibility() && !node.closest('.hidden, #tip')
const nameOf = (node) =>
  `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ''}.${node.getAttribute('class')} ${(node.textContent ?? '').slice(0, 40)}`
const all = (selector, root = document) => [...root.querySelectorAll(selector)]

const bytesOf = (colour) =>
  colour.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
    : colour.match(/\d+/g).map(Number)

function luminance(colour) {
  const [r, g, b] = bytesOf(colour.trim())
    .map((byte) => byte / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(first, second) {
  const [one, other] = [first, second].map(luminance)
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
}

globalThis.probe = {
  /** Boxes that stick out of the window, and out of no scroller that the keyboard reaches. */
  sticksOut() {
    const width = document.documentElement.clientWidth
    return all('body *')
      .filter((node) => {
        const { left, right, width: own } = boxOf(node)
        if (own === 0 || (left >= -0.5 && right <= width + 0.5) || !isShown(node)) return false
        const scroller = node.parentElement.closest('.scroll')
        return !(scroller?.tabIndex === 0 && scroller.scrollWidth > scroller.clientWidth)
      })
      .map(nameOf)
  },
  scrollers: () =>
    all('.scroll')
      .filter((node) => isShown(node) && node.scrollWidth > node.clientWidth)
      .map(nameOf),
  pageSize: () => [document.documentElement.scrollWidth, document.documentElement.scrollHeight],
  legendMarks: () =>
    all('.legend svg, .legend i, .name svg').flatMap((node) => [boxOf(node).width, boxOf(node).height]),
  /** Letters of a chart that its edge cuts, and the height of its smallest letters. */
  cutLetters: (selector = '.drawing text') =>
    all(selector)
      .filter((text) => {
        const [own, drawing] = [boxOf(text), boxOf(text.closest('svg'))]
        return (
          own.width > 0 &&
          (own.left < drawing.left - 1 ||
            own.right > drawing.right + 1 ||
            own.top < drawing.top - 1 ||
            own.bottom > drawing.bottom + 1)
        )
      })
      .map(nameOf),
  letterSize() {
    return Math.min(...all('.drawing').map((svg) => (13 * boxOf(svg).width) / svg.viewBox.baseVal.width))
  },
  /** Letters of a chart that cover other letters, and labels that cover dots. */
  coveredLetters(selector) {
    const texts = all(`${selector} text`).filter(({ textContent }) => textContent !== '')
    const dots = all(`${selector} circle`)
    const cover = (one, other) => {
      const [a, b] = [boxOf(one), boxOf(other)]
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      return across > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3
    }
    return texts.flatMap((text, i) =>
      [...texts.slice(i + 1), ...dots]
        .filter((other) => cover(text, other))
        .map((other) => `${nameOf(text)} and ${nameOf(other)}`),
    )
  },
  /** The least contrast of letters and of dots with a ground, and the height of the smallest letters in pixels. */
  chartContrast(selector, ground) {
    const colours = (nodes) =>
      nodes.map((node) => {
        const { fill, stroke } = getComputedStyle(node)
        return fill === 'none' ? stroke : fill
      })
    const texts = all(`${selector} text`)
    const least = (nodes) => Math.min(...colours(nodes).map((colour) => contrast(colour, ground)))
    return [
      least(texts),
      least(all(`${selector} circle`)),
      Math.min(...texts.map((text) => boxOf(text).height)),
    ]
  },
  chartWidths: () => all('.drawing').map((svg) => boxOf(svg).width),
  /** Contrast (WCAG 2.2) of the colours of marks with the page. */
  markContrast() {
    const style = getComputedStyle(document.documentElement)
    const numbered = Array.from({ length: 10 }, (_, i) => `--c${i}`)
    const names = [...numbered, '--mel', '--encoder', '--prefill', '--decode', '--command']
    return names.map((name) => contrast(style.getPropertyValue(name), style.getPropertyValue('--page')))
  },
  /** Of letters, and of marks, with the ground of a picture. */
  pictureContrast() {
    const fill = (selector) => getComputedStyle(document.querySelector(selector)).fill
    return ['text', 'circle'].map((selector) => contrast(fill(selector), fill('#ground')))
  },
  /** Of a word that stands out: its letters with its ground, and its ground with that of the list. */
  wordContrast(selector) {
    const { color, backgroundColor } = getComputedStyle(document.querySelector(selector))
    const list = getComputedStyle(document.querySelector('#list > li')).backgroundColor
    return [contrast(color, backgroundColor), contrast(backgroundColor, list)]
  },
  /** Texts that hold one of these names and are in no element that keeps their direction apart. */
  notIsolated(names) {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const out = []
    while (walker.nextNode()) {
      const { parentElement: parent, data } = walker.currentNode
      const isName = names.some((name) => data.includes(name))
      if (isName && !parent.closest('bdi, svg, script, option, style')) out.push(nameOf(parent))
    }
    return out
  },
  /** How a mark of the alignment differs from plain text, colours left out. */
  markOf(selector) {
    const node = document.querySelector(selector)
    const line = (part) => (getComputedStyle(part).textDecorationLine === 'line-through' ? 'struck' : 'plain')
    const before = getComputedStyle(node, '::before').content
    if (before !== 'none') return `${before.split(' /')[0]} before`
    const parts = all('del, ins', node)
    return parts.length > 0 ? parts.map((part) => `${part.localName} ${line(part)}`).join(', ') : line(node)
  },
  isInWindow(selector) {
    const { top, bottom } = boxOf(document.querySelector(selector))
    return top >= 0 && top < innerHeight && bottom > 0
  },
  /** What moves by itself. */
  moving: () =>
    all('body *')
      .filter((node) => {
        const { animationName, transitionDuration } = getComputedStyle(node)
        return animationName !== 'none' || transitionDuration !== '0s'
      })
      .map(nameOf),
  /** What axe-core finds, of all its rules or of these. */
  async axe(rules) {
    for (const details of all('details')) details.open = true
    const options = rules ? { runOnly: rules } : {}
    const { violations } = await axe.run(document, { ...options, resultTypes: ['violations'] })
    const said = ({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`)
    return violations.flatMap(said)
  },
}
