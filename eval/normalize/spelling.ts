// SPDX-License-Identifier: Apache-2.0

import { splitWords } from './python-text.ts'

/*
 * British and American spelling of the words that the published Whisper normalizer treats as one
 * (github.com/openai/whisper, whisper/normalizers/english.json, after the list of tysto.com), by what differs:
 * British letters, American letters | beginnings | endings. An underscore stands for nothing.
 */
const RULES = `
s z | accessori analy anglici antagoni apologi authori bapti bastardi bowdleri brutali canali cannibali
  canoni capitali carameli carboni cataly categori cauteri centrali characteri circulari civili collectivi
  commerciali compartmentali computeri conceptuali contextuali criminali critici customi demoni deodori
  depersonali deputi digiti economi editoriali empathi emphasi energi epitomi eulogi evangeli exorci factori
  fantasi femini galvani ghettoi glamori homogeni humani hybridi hypnoti hypothesi idoli immortali
  individuali industriali initiali intellectuali italici itemi jeopardi legitimi locali magneti memoriali
  memori mesmeri metaboli militari minimi moderni morali optimi ostraci overemphasi paraly particulari
  penali personali philosophi plagiari propagandi psychoanaly publici radicali randomi revitali revolutioni
  rhapsodi romantici saniti satiri scandali scrutini sensationali sensiti sentimentali sermoni signali
  sodomi solemni summari symboli tempori tenderi terrori theori traumati triviali tyranni vandali verbali |
  e ed es ing
s z | acclimati crystalli decentrali decriminali dehumani demilitari demobili democrati demorali denationali
  desensiti destabili extempori familiari finali formali fossili fraterni globali harmoni hospitali ideali
  immuni institutionali internali internationali legali liberali lioni marginali materiali maximi mechani
  miniaturi mobili monopoli naturali neutrali normali oxidi passivi pasteuri pedestriani polari politici
  populari pressuri prioriti professionali pulveri regulari seculari sociali standardi stigmati synchroni
  systemati unioni urbani vapori victimi vulgari westerni | ation e ed es ing
s z | aggrandi | ement
s z | agoni patroni tantali | e ed es ing ingly
s z | amorti reali | able ation ations e ed es ing
s z | annuali motori rituali transistori unauthori uncivili underutili unorgani vulcani | ed
s z | appeti | er ers ing ingly
s z | breathaly liquidi moisturi proselyti sympathi synthesi womani | e ed er ers es ing
s z | coloni equali fertili immobili ioni stabili subsidi | ation e ed er ers es ing
s z | co | ier ies iest ily iness y
s z | disorgani | ation ed
s z | dramati externali fictionali generali nationali privati rationali reorgani seriali speciali visuali
  vocali | ation ations e ed es ing
s z | organi | ation ational ations e ed er ers es ing
s z | recogni | able ably ance e ed es ing
s z | sterili | ation ations e ed er ers es ing
s z | unrecogni | able ed
s z | utili | able ation e ed es ing
u _ | arbo misdemeano parlo rigo savio splendo tricolo tumo vapo watercolo | r rs
u _ | ardo cando clango demeano disfavo fervo misbehavio ranco technicolo valo vigo | r
u _ | armo | r red rer rers ries ry
u _ | ba | lk lked lking lks
u _ | behavio | r ral rism rist rists rs
u _ | belabo clamo discolo endeavo harbo succo | r red ring rs
u _ | catalog | ed ing
u _ | colo | r rant rants red reds rful rfully ring rize rized rizes rizing rless rs
u _ | dishono hono | r rable rably red ring rs
u _ | enamo multicolo | red
u _ | favo | r rable rably red ring rite rites ritism rs
u _ | flavo | r red ring rings rless rs rsome
u _ | humo | r red ring rless rs
u _ | labo | r red rer rers ring rs
u _ | mo | ld lded lder ldered ldering lders ldier ldiest lding ldings lds ldy lt lted lting lts
u _ | neighbo | r rhood rhoods ring rliness rly rs
u _ | odo | r rless rs
u _ | remo | ld lded lding lds
u _ | rumo | r red rs
u _ | savo | r red ries ring rs ry
u _ | smo | lder ldered ldering lders
u _ | unfavo | rable rably
u _ | unsavo | ry
l _ | backpedal bedevil cancel carol cavil channel chisel cudgel dial disembowel drivel duel enamel funnel
  gambol grovel impanel imperil initial label marshal parcel pedal pencil quarrel ravel refuel remodel rival
  shovel shrivel signal snivel snorkel spiral squirrel stencil swivel towel trial tunnel unravel weasel
  yodel | ed ing
l _ | bejewel bevel dishevel gravel tassel unequal unrival untrammel | ed
l _ | cal | iper ipers isthenics
l _ | chil | i
l _ | council | or ors
l _ | counsel | ed ing or ors
l _ | cruel | er est
l _ | fil | et eted eting ets
l _ | gruel | ing ingly
l _ | jewel | ed er ers
l _ | level model revel travel | ed er ers ing
l _ | libel | ed ing ous
l _ | marvel | ed ing ous ously
l _ | panel | ed ing ist ists
l _ | tranquil | ity ize ized izer izers izes izing
l _ | wool | en ens ies y
a _ | _ | eon eons esthete esthetes esthetic esthetically esthetics etiology
a _ | an | emia emic esthesia esthetic esthetics esthetist esthetists esthetize esthetized esthetizes
  esthetizing
a _ | arch | eologically eologist eologists
a _ | bougainvill | ea eas
a _ | c | esarean esareans
a _ | chim | era eras
a _ | encyclop | edia edias edic
a _ | f | ecal eces
a _ | fl | utist utists
a _ | gyn | ecological ecologist ecologists ecology
a _ | h | ematological ematologist ematologists ematology emoglobin emophilia emophiliac emophiliacs
  emorrhage emorrhaged emorrhages emorrhaging emorrhoids
a _ | leuk tox | emia
a _ | medi prim | eval
a _ | orthop | edic edics
a _ | p | ederast ederasts ediatric ediatrician ediatricians ediatrics edophile edophiles edophilia
a _ | pal | eolithic eontologist eontologists eontology
a _ | pr | esidium esidiums
re er | accout | ments
re er | amphitheat calib centilit centimet epicent goit kilomet lit louv met micromet millilit millimet mit
  reconnoit sab scept sepulch spect | _ s
re er | cent | _ fold folds piece pieces s
re er | fib | _ glass s
re er | lacklust lust meag saltpet somb | _
re er | theat | _ goer goers s
_ l | appal distil enrol enthral instil | _ s
_ l | cancel | ation ations
_ l | crenel | ated
_ l | fulfil | _ ment s
_ l | instal | _ ment ments s
o _ | diarrh gonorrh | ea
o _ | ed | ema
o _ | f | etal etid etus etuses
o _ | hom | eopath eopathic eopaths eopathy
o _ | m | ustache ustached ustaches ustachioed
o _ | _ | esophagus esophaguses estrogen
o _ | pharmacop | eia eias
me _ | aerogram centigram gram kilogram milligram program | _ s
ue _ | analog catalog dialog epilog monolog prolog | _ s
ugh f | dra | t tboard tboards tier tiest ts tsman tsmanship tsmen tswoman tswomen ty
c s | defen | e eless es
c s | licen | e ed es ing
c s | offen preten | e es
gao jai | _ | l lbird lbirds lbreak lbreaks led ler lers ling ls
c k | dis videodis | _ s
c k | s | eptic eptical eptically epticism eptics
ugh w | plo | _ ed ing man men s share shares
ugh w | snowplo | _
e _ | ag bing glu | ing
e _ | ax | _
e _ | judg | ment
e _ | lik | able
e _ | phon stor | y
y i | c | pher phers
y i | s | phon phoned phoning phons
y i | t | re res
oeuv euve | man | rability rable red ring rings
oeuv euve | outman | red ring
s _ | bias | ed ing
s _ | bus | es ing
s _ | gas minibus | es
e a | gr | y yed ying yish yness ys
ph f | sul | ate ates ide ides ur urous
lis iz | tranquil | e ed er ers es ing
_ e | battleax | _
_ e | cent louv | red
_ e | reconnoit | red ring
_ u | ga | ge ged ges ging
_ u | glamo | r
aesthetis esthetiz | an | e ed es ing
que ck | che | _ book books s
x ct | conne infle | ion ions
te _ | epaulet omelet | _ s
oeuvre euver | man outman | _ s
s c | practi | e ed es ing
_ o | beho | ve ved ves
h _ | sheik | _
h _ | yog | urt urts
p _ | worship | ed er ing
`

/** Words of their own, the published list's slips included. */
const OTHERS: Readonly<Record<string, string>> = {
  aeroplane: 'airplane',
  aeroplanes: 'airplanes',
  almanack: 'almanac',
  almanacks: 'almanacs',
  aluminium: 'aluminum',
  archaeology: 'archeology</span>',
  archeological: 'archaeological',
  artefact: 'artifact',
  artefacts: 'artifacts',
  bannister: 'banister',
  bannisters: 'banisters',
  bevvies: 'bevies',
  bevvy: 'bevy',
  chequered: 'checkered',
  clarinettist: 'clarinetist',
  clarinettists: 'clarinetists',
  'flyer / flier': 'flier / flyer',
  gipsies: 'gypsies',
  groyne: 'groin',
  groynes: 'groins',
  gryphon: 'griffin',
  gryphons: 'griffins',
  jewellery: 'jewelry',
  mhm: 'hmm',
  misspelt: 'misspelled',
  mmm: 'hmm',
  philtre: 'filter',
  philtres: 'filters',
  pouffe: 'pouf',
  pouffes: 'poufs',
  pummelled: 'pummel',
  pummelling: 'pummeled',
  pyjama: 'pajama',
  pyjamas: 'pajamas',
  pzazz: 'pizzazz',
  snowploughs: 'snowplow',
  storeys: 'stories',
  tonne: 'ton',
  tonnes: 'tons',
  tranquilly: 'tranquility',
  travelog: 'travelogue',
  travelogs: 'travelogues',
  waggon: 'wagon',
  waggons: 'wagons',
  yoghourt: 'yogurt',
  yoghourts: 'yogurts',
}

/** British spelling to American, all pairs. */
export const SPELLINGS: ReadonlyMap<string, string> = new Map([...expandRules(), ...Object.entries(OTHERS)])

/** Words in their American spelling, joined by single spaces. */
export function americanSpelling(text: string): string {
  return splitWords(text)
    .map((word) => SPELLINGS.get(word) ?? word)
    .join(' ')
}

function* expandRules(): Generator<[string, string]> {
  for (const rule of RULES.trim().split(/\n(?! )/)) {
    const [letters = [], beginnings = [], endings = []] = rule
      .split('|')
      .map((part) => splitWords(part).map((text) => (text === '_' ? '' : text)))
    const [british = '', american = ''] = letters
    for (const beginning of beginnings) {
      for (const ending of endings) yield [beginning + british + ending, beginning + american + ending]
    }
  }
}
