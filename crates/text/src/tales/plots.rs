//! The templates of the tales: how stories begin, what happens, how they end.
//! The language of templates is explained in `grammar.rs`.
//!
//! A plot holds few facts (two names, a toy, its colour, a fear), repeats them soon, and keeps most
//! of its choices in words that are said once: a small model can learn those quickly, and a window
//! that begins in the middle of a story misses little. The songs in nonsense syllables serve this
//! too: no text of so few letters is richer in choices, or easier to learn.

/// The whole of a story.
pub(super) const STORY: &str = "<opening>, <intro>. \
     {<lost>|<shared>|<fear>|<trick>|<gift>|<race>|<storm>|<feast>|<trade>|<wish>} <ending>\n\n";

/// Fragments, each of which may use those before it.
pub(super) const FRAGMENTS: &[(&str, &str)] = &[
    (
        "words",
        "{<la><la> <la><la>|<la><la>-<la>|<la>-<la>-<la>|<la> <la><la>|<la><la><la>}",
    ),
    ("song", "<La><la> <words>{!|?|, <words>!|, <words>?}"),
    (
        "opening",
        "{On a <weather> <day>|One <weather>, <weather> <day>|Last <day>|At <number> o'clock|\
         Near a <adj> <place>|In <La><la> <place>}",
    ),
    (
        "intro",
        "<hero:names>{ the <trait> <animal>|, a <trait> <animal>,| the <animal>|, <trait> and <trait>,} \
         {<moved> to|sat by|woke up in|had to <act> in|lay <adv> in|found a <adj> <thing> by} the <place>",
    ),
    (
        "stuff",
        "{a <adj> <thing>|a <adj>, <adj> <thing>|a <thing>|<number> <adj> <animal> <thing>s|<food>|<adj> <food>}",
    ),
    (
        "cry",
        "{\"<excl>! <excl>!\"|\"<excl>!\"|\"<excl>, <song>\"}",
    ),
    (
        "ending",
        "{Then|Later|At last|Soon|In the end|That <day>} {they|all|both|the two} \
         {ate <food>|ate <adj> <food> and <food>|<moved> home|<moved> <adv> to the <place>|\
         began to <act>|sat down to <act> and <act>|felt <mood>|slept <where> a <adj> <thing>} \
         {and sang|to the song|and heard}: \"<song> <song>\"",
    ),
    // Who has the toy? The one who found it says so, and it is the toy that was lost.
    (
        "lost",
        "<hero.He> {had lost|missed|looked for} <hero.his> <colour:colours> <toy:toys>. \
         {<hero.He> saw|<hero.He> met|Under a <thing> lay} <stuff>, <stuff> and {a <trait> <animal>|<stuff>}. \
         <cry> <said> <pal:names> the <animal>. \"{I found|Here is|I have} the <colour> <toy>! \
         It was <where> {a|my|the} <adj> <thing>.\" \
         <hero> {gave <pal.him> <stuff>|hugged <pal> <adv>|was <mood> no more}.",
    ),
    // Who may use the toy, and what is given for it?
    (
        "shared",
        "<pal:names> the <animal> had a <adj> <toy:toys>. \"{May|Can|Could} I {try|hold|borrow} it?\" \
         <said> <hero>. \"{No|Never}! {You are too <trait>|Go and <act>|I want to <act>|I am <mood>},\" \
         <said> <pal> <adv>. So <hero.he> {gave|showed|lent} <pal.him> <stuff>{. <cry>| and <stuff>. <cry>} \
         Now <pal> was <mood>, and {the <toy> was for both|both had the <toy>|<hero> got the <toy>}.",
    ),
    // What is one afraid of, and what was it really?
    (
        "fear",
        "<hero> was afraid of <fear:fears>! {Each|One} <day> <hero.he> hid <where> {a|the} <adj> <thing>. \
         \"<excl>! {I hear|I see|There are} <fear>!\" <hero.he> <said>. \
         {But|Then} <pal:names> the <trait> <animal> {<moved> up|came <adv>|looked}. \
         \"<excl>! {It is only|That is just} <stuff> and <stuff>.\" \
         <hero> <said> <adv>: \"{Now|So} I {like <fear>|fear no <fear>|can <act> with <fear>}!\"",
    ),
    // Where did the joker hide the toy?
    (
        "trick",
        "<pal:names> the <trait> <animal> {hid|put} <hero.his> <toy:toys> in a <adj> <box:boxes>. \
         <cry> <said> <hero> <adv>. \"{Is it|It must be} <where> the <adj> <thing>{?|, or the <adj> <thing>?}\" \
         \"{Cold|Wrong|No}! {Try to <act>|It is <where> <stuff>},\" <said> <pal>. \
         <hero.He> {<moved> <adv>|looked} to the <box>. {There|In it} was the <toy>{!|, <adj> and <adj>!}",
    ),
    // What is in the parcel?
    (
        "gift",
        "It was {the birthday of|a <adj> <day> for} <pal:names> the <animal>. \
         <hero> {made|bought|brought} <pal.him> a <colour:colours> <toy:toys> {in|under|with} a <adj> <thing>. \
         \"Is it <stuff>?\" <said> <pal>. \"{No|Guess}! {You can <act> with it|It is <adj> and <adj>|It is not <stuff>}.\" \
         <cry> {It was|Out came} the <colour> <toy>! <pal> {felt <mood>|hugged <hero.him> <adv>|gave <hero.him> <stuff>}.",
    ),
    // Who stops to help wins a friend.
    (
        "race",
        "{A|The} race to the <place> began! <pal:names> the <trait> <animal> <moved> {first|ahead}, \
         <hero> <moved> <adv>. {Bang|Crash|Oops}! <pal> {fell over|hit|ran into} a <adj> <thing>. \
         <cry> <hero> {stopped|turned} and gave <pal.him> <stuff>. \
         {\"You are <trait> and <trait>|\"I feel <mood>},\" <said> <pal> <adv>. \
         {Both won|They both got|<hero> won} <stuff>.",
    ),
    // Who comes in from the weather?
    (
        "storm",
        "{Rain|Snow|Hail|Wind} {fell|came} <adv>. {Knock, knock|Tap, tap}! It was <pal:names>, {a <trait>|the <trait>} <animal>. \
         \"<excl>! {My <thing> is|I am|My <thing> and I are} <mood>,\" <said> <pal>. \
         <hero> {gave|brought} <pal.him> <stuff>, <stuff> and {<stuff>|a <adj> smile}. \
         \"{Stay|Rest|Sleep} <where> my <thing>, <pal>! {We can <act>|I will <act>|You can <act>} and <act>.\"",
    ),
    // What is in the pot?
    (
        "feast",
        "<hero.He> {cooked|baked|stirred} <food> with <food>{ and <food>.|, <food> and <adj> <food>.} \
         {In|Down} fell a <thing>! <cry> <said> <pal:names> the <trait> <animal>, \
         \"{it is too <adj>|this tastes <adj>|it smells <adj>}!\" \
         {So|Then} <hero> {put in|added} <food>, and <pal> {put in|added} <stuff>. \
         {Now|Oh,} it was <adj> and <adj>, and <number> <animal>s came to <act>.",
    ),
    // What is swapped for what?
    (
        "trade",
        "<hero.He> had a <colour:colours> <toy:toys>, but <hero.he> {wanted|needed} <stuff>. \
         {At|By} the <place> <hero.he> met <pal:names>, a <trait> <animal> with <stuff> and <stuff>. \
         \"{I want|Give me|I like} {the|that} <colour> <toy>,\" <said> <pal>. \
         \"<excl>! {Take it|It is yours|Have it}, {but I must <act> first|and let us <act>|for <stuff>},\" \
         <said> <hero> <adv>. {<pal> was <mood>|<hero.He> felt <mood>|It was <adj>}.",
    ),
    // What is wished for?
    (
        "wish",
        "{In|By} the <place> <hero.he> met <pal:names>, a <adj>, magic <animal>. \
         \"{One|A} wish for you, <trait> one!\" <said> <pal>. \
         \"{I wish for|Give me|I want} <stuff>, {a <adj> <thing>|to <act> <adv>} \
         and {to be <mood>|to <act>|a <trait> <animal>},\" <hero.he> <said>. \
         {Puff|Zap|Pop}! \"<song>\" Down came <stuff> {and|with} <stuff>! {<hero> was <mood>|<cry> <said> <hero>}.",
    ),
];
