//! The templates of the tales: how stories begin, what happens, how they end.
//! The language of templates is explained in `grammar.rs`.
//!
//! A plot holds few facts (two names, a toy, its color, a fear), repeats them soon, and makes most
//! of its choices in words used once: a small model learns those quickly, and a window that begins
//! in the middle of a story misses little. The lists of things and the songs in nonsense syllables
//! serve this too: they pack many choices into few letters.

/// The whole of a story.
pub(super) const STORY: &str = "<opening>, <intro>. \
     {<lost>|<shared>|<fear>|<trick>|<gift>|<race>|<storm>|<feast>|<trade>|<wish>} <ending>\n\n";

/// Fragments, each of which may use those before it.
pub(super) const FRAGMENTS: &[(&str, &str)] = &[
    (
        "words",
        "{<la><la> <la><la>|<la><la><la><la>|<la> <la><la>|<la><la><la> <la>}",
    ),
    ("song", "<La><la> <words>{!|?|, <words>!|, <words>?}"),
    (
        "opening",
        "{One <weather>, <weather> <day>|On a <weather> <day>|One <weather> <day>|Near <La><la> <place>|\
         In a <adj>, <adj> <place>|Far off by <La><la>}",
    ),
    (
        "intro",
        "<hero:names>{ the <trait> <animal>|, a <trait> <animal>,| the <animal>|, <trait> and <trait>,} \
         {<moved> <adv>|sat by a <thing>|had to <act>|got a <adj> <thing>|<moved> past a <adj> <place>}",
    ),
    (
        "stuff",
        "{a <adj> <thing>|a <adj>, <adj> <thing>|a <thing>|<number> <adj> <animal> <thing>s|<food>|<adj> <food>}",
    ),
    (
        "cry",
        "{\"<excl>! <excl>!\"|\"<excl>, <excl>!\"|\"<excl>, <song>\"}",
    ),
    ("and", "{, <stuff> and <stuff>| and <stuff>}"),
    (
        "ending",
        "{Then|Later|Soon|At last} {they|all|both} \
         {ate <food>|ate <adj> <food> and <adj> <food>|got <stuff> and <stuff>|<moved> <adv> to the <place>|\
         <moved> home|sat down to <act> and <act>|felt <mood>|hid <where> a <adj> <thing>} \
         and {sang|hummed|called}: \"<song> <song> <song> <song>\"",
    ),
    // Who has the toy? The one who found it says so, and it is the toy that was lost.
    (
        "lost",
        "<hero.He> {had lost|missed|looked for} <hero.his> <color:colors> <toy:toys>. \
         {<hero.He> saw|By a <thing> lay|<hero.He> met} <stuff>, <stuff> and {a <trait> <animal>|<stuff>}. \
         <cry> <said> <pal:names> the <animal>. \"{I found|Here is|I have} the <color> <toy>! \
         It was <where> {a|my|the} <adj> <thing>.\" \
         {<hero.He> gave <pal.him> <stuff><and>|<hero.He> hugged <pal.him> <adv>|<pal> got <stuff><and>}.",
    ),
    // Who gets to use the toy, and in return for what?
    (
        "shared",
        "<pal:names> the <animal> had a <adj> <toy:toys>. \"{May|Can} I {try|hold|use} it?\" \
         <said> <hero>. \"{No|Never}! {You are <trait> and <trait>|Go and <act>|I must <act>|I am <mood>},\" \
         <pal.he> <said> <adv>. So <hero.he> {gave|showed|lent} <pal.him> <stuff><and>. <cry> \
         {Both|They|All} had the <toy>.",
    ),
    // What is the hero afraid of, and what is it really?
    (
        "fear",
        "<hero.He> was {afraid|scared} of <fear:fears> and hid <where> {a|the} <adj> <thing>. \
         \"<excl>! {I hear|I see} <fear>!\" But <pal:names> the <trait> <animal> {<moved> up|came <adv>|looked}. \
         \"<excl>! {It is only|I see} <stuff><and>.\" \
         <hero.He> <said> <adv>: \"{I like <fear>|Now I can <act> with <fear>}, <pal>!\"",
    ),
    // Where did the joker hide the toy?
    (
        "trick",
        "<pal:names> the <trait> <animal> {hid|put} <hero.his> <toy:toys> in a <adj> <box:boxes>. \
         <cry> <hero.he> <said> <adv>. \"{Is it|It must be} <where> the <adj> <thing>{?|, or the <adj> <thing>?}\" \
         \"{Cold|Wrong|No}! {Go and <act>|It is <where> <stuff>},\" <said> <pal>. \
         {In the <box> was|The <box> hid} the <toy><and>!",
    ),
    // What is in the parcel?
    (
        "gift",
        "{For|To} <pal:names> the <animal> <hero.he> {gave|brought} a <color:colors> <toy:toys> \
         {in|under|with} a <adj> <thing>. \
         \"Is it <stuff><and>?\" <said> <pal>. \"{No|Guess}! {You can <act> with it|It is <adj> and <adj>|It is not <stuff>}.\" \
         <cry> {It was|Out came} the <color> <toy>! {<pal.He> felt <mood>|<pal.He> hugged <hero.him> <adv>|<hero.He> got <stuff><and>}.",
    ),
    // Who stops to help wins a friend.
    (
        "race",
        "{A|The} race began! <pal:names> the <trait> <animal> <moved> {first|ahead}, \
         <hero> <moved> <adv>. {Bang|Crash|Oops}! {Down came|In the way was} a <adj> <thing><and>. \
         <cry> <hero.He> {stopped|turned} and gave <pal.him> <stuff>. \
         \"{You are <trait> and <trait>|I feel <mood>},\" <pal.he> <said> <adv>. \
         Both won <stuff><and>.",
    ),
    // Who comes in from the weather?
    (
        "storm",
        "{Rain|Snow|Hail|Wind} came <adv>. {Knock|Tap|Bang}! It was <pal:names>, a <trait> <animal>. \
         \"<excl>! {My <thing> is|I am|My <thing> and I are} <mood>,\" <pal.he> <said>. \
         <hero.He> {gave|brought} <pal.him> <stuff><and>. \
         \"{Stay|Rest|Sleep} <where> my <adj> <thing>, <pal>! {We can <act>|I will <act>|You can <act>} and <act>.\"",
    ),
    // What is in the pot?
    (
        "feast",
        "<hero.He> {cooked|baked|mixed} <food>, <adj> <food> and <adj> <food>. \
         {In|Down} fell a <thing>! <cry> <said> <pal:names> the <trait> <animal>, \
         \"it {is too <adj>|smells <adj>}!\" \
         So <hero.he> {put in|added} <food><and>, and <pal> {put in|added} <stuff>. \
         {Now|Oh,} it was <adj> and <adj>.",
    ),
    // What is swapped for what?
    (
        "trade",
        "<hero.He> had a <color:colors> <toy:toys>, but <hero.he> {wanted|needed} <stuff>. \
         {At|By} the <place> <hero.he> met <pal:names>, a <trait> <animal> with <stuff><and>. \
         \"{I want|Give me|I like} the <color> <toy>,\" <said> <pal>. \
         \"<excl>! {Take|Have} it, {but I must <act>|let us <act> and <act>|for <stuff>},\" \
         <hero.he> <said> <adv>. {<pal.He> was|<hero.He> felt} <mood>.",
    ),
    // What does the hero wish for?
    (
        "wish",
        "{In|By} the <place> <hero.he> met <pal:names>, a <adj>, magic <animal>. \
         \"A wish, <trait> one!\" \
         \"{I want|Give me} <stuff>, {a <adj> <thing>|to <act> <adv>} \
         and {to be <mood>|to <act>|a <trait> <animal>},\" <said> <hero>. \
         \"<song>\" <pal.he> <said>. {Puff|Zap|Pop}! Down came <stuff><and>!",
    ),
];
