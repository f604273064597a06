//! The words of the tales. Each list is closed and every word of it equally likely; no word begins
//! with another of its list, so that the letters alone tell which one it is.
//!
//! Lists whose words are remembered through a story (`names`, `toys`, `colours`, `fears`) differ in
//! their first letters and are short: what has left a model's window costs it few bits. Lists used
//! once and forgotten are long. `_` stands for a space.

/// Girls' names, then as many boys' names; the first letter tells which.
pub(super) const NAMES: &str = "Ada Bella Cora Daisy Ella Fay Greta Hana Ivy June Kiki Lucy \
     Max Ned Otto Pip Quinn Rob Sam Tom Umar Vic Will Zack";

/// The other lists: name and words.
pub(super) const LISTS: &[(&str, &str)] = &[
    (
        "toys",
        "ball cart drum flute horn kite lamp map net pipe ring sled top vase whistle yo-yo",
    ),
    ("colours", "blue gold green pink red silver white yellow"),
    (
        "fears",
        "bats crows dogs eels frogs ghosts lions moths owls rats snakes wolves",
    ),
    (
        "animal",
        "bat bear bee bird bug cat cow crab crow deer dog dove duck fish fox frog \
         goat goose hare hen horse jay kid kitten lamb lion mole mouse newt panda pig pony \
         puppy rabbit ram rat robin seal sheep snail swan toad turtle vole whale wolf yak zebra",
    ),
    (
        "trait",
        "bold bossy brave bright busy calm careful cheery clever cool curious daring dizzy dreamy \
         fair fast funny fussy gentle giddy glad good grumpy happy helpful hungry jolly kind \
         lazy lively loud lucky merry modest neat nice noisy patient perky plump polite proud quick \
         quiet rich rude shy silly sleepy slow sly smart strong sweet tall tidy tiny tired tough \
         warm wild wise witty young zany",
    ),
    (
        "thing",
        "bag banjo barrel basket bed bell belt bench boat book boot bottle bowl box broom brush \
         bucket cage candle cap card chair chest clock cloth coat coin comb cup desk dish doll door \
         dress fez flag fork gem glove hat helmet hook hose jar jug key ladder leaf log mask mat \
         mirror mop mug nest nut paddle pan pen pillow pin plate pot purse puzzle quilt rake robe \
         rock rope rug sack sail saw scarf shell shoe sock spoon stilt stool sword table tent tie \
         towel toy tray tub wand wheel wig",
    ),
    (
        "adj",
        "bent big black bold brown cheap clean cold creaky cute damp dark dear deep dirty dry dull \
         dusty fancy fat fine flat fresh full fuzzy good grand gray great grim hairy hard heavy high \
         hot huge jolly large leaky lemon light little long lost loud lovely lucky magic messy muddy \
         neat new nice pale plain plump pretty purple quaint quiet rare rich round royal rusty salty \
         shiny short silky silly slim small smart soft sooty sour spotty square steep sticky strange \
         strong sunny sweet tall tame tan thick thin tidy tiny torn violet warm weird wet wide wild \
         wooden worn",
    ),
    (
        "place",
        "barn bay beach bridge brook camp canal castle cave church cliff creek dam den dock dune \
         farm fence field forest fort garden gate grove harbor hedge hill house hut inn island jail \
         jetty kitchen lake library lodge market meadow mill mine mountain museum orchard palace \
         park path pier pond pool quarry ranch river road school sea shed shop shore stable station \
         stream street swamp temple theater tower town trail tree tunnel valley village wall well \
         woods yard zoo",
    ),
    (
        "food",
        "apples bacon beans beets bread buns butter cake carrots cheese cherries chips corn cream \
         dates dumplings eggs figs fudge grapes ham honey ice_cream jam jelly juice kiwis leeks \
         lemons lettuce limes mangos melon milk muffins mussels noodles nuts oats olives onions \
         pasta peaches pears peas pie plums popcorn pumpkin quince radish raisins rice salad soup \
         stew syrup tarts tea toast tofu waffles yams yogurt",
    ),
    (
        "moved",
        "bounced climbed crawled crept cycled danced dashed drove fled flew galloped hiked hopped \
         hurried jogged jumped leapt limped marched paced paraded pranced raced ran rode rolled rowed \
         rushed sailed skated skipped slid sneaked sped strolled swam tiptoed traveled trotted \
         waddled walked wandered went zoomed",
    ),
    (
        "act",
        "bake bark box build camp climb cook count cycle dance dig dive draw dream fish fly garden \
         giggle hike hop hum hunt jog joke juggle jump kick knit laugh march mop nap paint play read \
         rest ride run sail sew sing skate ski sleep sneeze surf swim swing talk travel whistle \
         wink work wrestle write yawn yell yodel",
    ),
    (
        "adv",
        "at_once bravely brightly calmly coldly crossly dreamily eagerly fast firmly gently gladly \
         grimly happily hotly in_tears kindly lazily loudly meekly merrily nicely oddly politely \
         proudly quickly quietly rudely sadly sharply shyly slowly softly sternly sweetly tenderly \
         timidly twice warmly weakly wildly wisely with_a_grin with_a_sigh",
    ),
    (
        "said",
        "barked begged called cried croaked giggled groaned grunted hissed howled hummed laughed \
         moaned mumbled piped purred roared said sang shouted sighed sobbed squeaked whispered \
         yelled",
    ),
    (
        "excl",
        "Ah Bah Bless_me Bother Bravo Cheers Come_on Dear_me Drat Eek Fine Gee Golly Good Ha Help \
         Hey Hooray Hush Indeed Just_so Look My_my Never Nonsense Oh Ooh Phew Please Quick Really \
         Shoo So Sure Ta-da True Uh-oh Wait Well What Wow Yay Yes Yikes Yum",
    ),
    (
        "mood",
        "afraid alone angry ashamed bored brave calm cold cross dizzy fine furious glad gloomy \
         happy hungry hurt jealous lonely lucky mad merry nervous proud puzzled sad safe shy sick \
         silly sleepy sorry stuck tired upset warm weary wet worried",
    ),
    (
        "weather",
        "bleak breezy bright calm chilly clear cloudy cold cool damp dark dry dull dusty fine foggy \
         fresh frosty golden gray hazy hot humid lovely mild misty muggy nippy pale quiet rainy \
         rosy snowy soft starry still stormy sunny sweet warm wet wild windy",
    ),
    (
        "day",
        "afternoon autumn birthday day evening Friday holiday Monday morning night Saturday spring \
         summer Sunday Thursday Tuesday Wednesday weekend winter",
    ),
    (
        "where",
        "above behind beneath beside by inside near on_top_of past under",
    ),
    ("boxes", "bag cup drawer hole jar nest pot shoe tin well"),
    ("number", "eight five four nine seven six ten three two"),
    // What songs and spells are made of: a consonant and a vowel.
    (
        "la",
        "ba be bi bo bu da de di do du fa fe fi fo fu ga ge gi go gu ha he hi ho hu ja je ji \
         jo ju ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu pa pe pi po pu ra \
         re ri ro ru sa se si so su ta te ti to tu wa we wi wo wu za ze zi zo zu",
    ),
    (
        "La",
        "Ba Be Bi Bo Bu Da De Di Do Du Fa Fe Fi Fo Fu Ga Ge Gi Go Gu Ha He Hi Ho Hu Ja Je Ji \
         Jo Ju Ka Ke Ki Ko Ku La Le Li Lo Lu Ma Me Mi Mo Mu Na Ne Ni No Nu Pa Pe Pi Po Pu Ra \
         Re Ri Ro Ru Sa Se Si So Su Ta Te Ti To Tu Wa We Wi Wo Wu Za Ze Zi Zo Zu",
    ),
];
