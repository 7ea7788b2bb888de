/* Runs in the page: the list of utterances. */
{
  const PAGE = 25
  const byId = (id) => document.getElementById(id)
  const { systems, utterances } = JSON.parse(byId('data').textContent)
  const [find, system, show, sort, list, more, count] = [
    'find',
    'system',
    'show',
    'sort',
    'list',
    'more',
    'count',
  ].map(byId)
  let shown = PAGE

  system.append(new Option('all', ''))
  systems.forEach(({ name }, i) => {
    system.append(new Option(name, i))
  })
  utterances.forEach((utterance, i) => {
    utterance.audio = utterance.hasAudio ? `audio-${i}` : ''
  })

  /** Results of the chosen system, or of all. */
  const resultsOf = ({ results }) =>
    (system.value === '' ? results : [results[Number(system.value)]]).filter((result) => result)
  const most = (utterance, of) => Math.max(0, ...resultsOf(utterance).map(of))
  const ORDER = {
    errors: (a, b) => most(b, (r) => r.errors) - most(a, (r) => r.errors),
    rate: (a, b) => most(b, rateOf) - most(a, rateOf),
    row: (a, b) => a.row - b.row,
    seconds: (a, b) => b.seconds - a.seconds,
    latency: (a, b) => most(b, (r) => r.compute) - most(a, (r) => r.compute),
  }
  const SHOW = {
    all: () => true,
    errors: (utterance) => resultsOf(utterance).some(({ errors }) => errors > 0),
    failures: (utterance) => resultsOf(utterance).some(({ failures }) => failures.length > 0),
    differ: ({ results }) => new Set(results.map((result) => result?.heard.join(' '))).size > 1,
  }

  function rateOf({ errors, words }) {
    return errors / Math.max(1, words.length)
  }

  function element(tag, className, ...children) {
    const made = document.createElement(tag)
    if (className) made.className = className
    made.append(...children)
    return made
  }

  /** Reference and hypothesis as one line: what was said instead, left out, or put in. */
  function alignment({ operations, words, heard }) {
    const line = element('div', 'words')
    let [i, j] = [0, 0]
    for (const operation of operations) {
      if (operation === 'h') line.append(element('span', 'h', words[i]))
      else if (operation === 's') line.append(element('span', 's', element('del', '', words[i]), heard[j]))
      else line.append(element('span', operation, operation === 'd' ? words[i] : heard[j]))
      line.lastChild.title = { h: '', s: 'substitution', d: 'deletion', i: 'insertion' }[operation]
      line.append(' ')
      if (operation !== 'i') i++
      if (operation !== 'd') j++
    }
    return line
  }

  function player(id) {
    const button = element('button', 'play', 'Play')
    button.type = 'button'
    button.addEventListener('click', () => {
      const source = byId(id)
      const bytes = Uint8Array.from(atob(source.textContent), (character) => character.charCodeAt(0))
      const audio = element('audio')
      audio.controls = true
      audio.src = URL.createObjectURL(new Blob([bytes], { type: source.dataset.type }))
      button.replaceWith(audio)
      audio.play()
    })
    return button
  }

  function row(utterance) {
    const { id, dataset, speaker, seconds, reference, results, audio } = utterance
    const facts = [dataset, speaker && `speaker ${speaker}`, `${seconds.toFixed(1)} s`].filter((fact) => fact)
    const head = element(
      'div',
      'head',
      element('b', '', id),
      facts.join(' · '),
      audio ? player(audio) : 'no audio here',
    )
    const item = element(
      'li',
      '',
      head,
      element('div', 'result', element('div', 'name', 'reference'), element('div', 'reference', reference)),
    )
    results.forEach((result, i) => {
      if (!result || (system.value !== '' && Number(system.value) !== i)) return
      const errors = `${result.errors} of ${result.words.length} words, ${result.compute.toFixed(2)} s`
      const name = element('div', 'name', systems[i].name, element('br'), errors)
      name.style.borderLeft = `3px solid ${systems[i].colour}`
      name.style.paddingLeft = '0.5rem'
      const failures = result.failures.map((failure) => element('span', 'failure', failure))
      const text = element('div', 'heard', alignment(result), element('small', '', result.text), ...failures)
      item.append(element('div', 'result', name, text))
    })
    return item
  }

  function update() {
    const wanted = find.value.trim().toLowerCase()
    const matches = ({ id, speaker, reference, results }) =>
      [id, speaker, reference, ...results.map((result) => result?.text ?? '')].some((text) =>
        text.toLowerCase().includes(wanted),
      )
    const found = utterances.filter((utterance) => SHOW[show.value](utterance) && matches(utterance))
    found.sort((a, b) => ORDER[sort.value](a, b) || a.row - b.row)
    list.replaceChildren(...found.slice(0, shown).map(row))
    count.textContent = `${found.length} of ${utterances.length}`
    more.hidden = found.length <= shown
  }

  for (const control of [find, system, show, sort]) {
    control.addEventListener('input', () => {
      shown = PAGE
      update()
    })
  }
  byId('filter').addEventListener('submit', (event) => event.preventDefault())
  more.addEventListener('click', () => {
    shown += PAGE
    update()
  })
  update()
}
