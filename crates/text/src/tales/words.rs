//! The words of the tales. Each list is closed and its words are equally likely. No word is a
//! prefix of another in its list, so the letters alone identify it.
//!
//! Lists whose words a story repeats (`names`, `toys`, `colors`, `fears`) are short, and their
//! words differ in the first letter: a word that has left the model's window then costs few bits.
//! Lists whose words are used once are long.

/// Girls' names, then as many boys' names; the first letter tells which.
pub(super) const NAMES: &str = "Ada Bella Cora Daisy Ella Fay Greta Hana Ivy June Kiki Lucy \
     Max Ned Otto Pip Quinn Rob Sam Tom Umar Vic Will Zack";

/// The other lists: name and words.
pub(super) const LISTS: &[(&str, &str)] = &[
    (
        "toys",
        "ball cart flute horn kite lamp net pipe ring sled vase whistle",
    ),
    ("colors", "blue gold green pink red silver white yellow"),
    (
        "fears",
        "bats dogs eels frogs ghosts lions owls rats snakes wolves",
    ),
    (
        "animal",
        "bat bear cat cow dog duck fox frog goat hen horse jay kid lamb mole newt pig pony \
     rabbit seal swan toad vole wolf yak zebra",
    ),
    (
        "trait",
        "bold brave calm clever dizzy fair funny glad good happy jolly kind lazy merry nice \
     proud quick rude shy sly tall tidy wild wise young zany",
    ),
    (
        "thing",
        "bag bell boat book cap coin comb cup desk door feather fork gem globe hat hook jar \
     jug key lid log mat mug nest nut pail pot quill rope rug sack sock tent tub vest wand \
     wig",
    ),
    (
        "adj",
        "big bold clean cute dark dry fat flat good gray hot huge jolly keen long lost mild \
     neat new pale plain quaint rare round sad soft tall tiny vast warm wet wild young \
     zesty",
    ),
    (
        "place",
        "barn bay camp cave den dock farm fort gate hill hut inn jetty lake mill mine park \
     pond quarry river sea shop tower town valley well woods yard zoo",
    ),
    (
        "food",
        "apples beans buns cake corn dates eggs figs grapes ham honey jam kale limes milk nuts \
     oats pears pie rice soup tea waffles yams",
    ),
    (
        "moved",
        "bounced crept danced flew galloped hopped jogged limped marched paced ran sailed swam \
     trotted walked zoomed",
    ),
    (
        "act",
        "bake climb cook dance dig draw fish fly hop hum jog jump knit laugh mop nap paint \
     read rest run sing ski swim talk wink yell",
    ),
    (
        "adv",
        "boldly calmly fast gladly happily kindly loudly merrily nicely oddly proudly quickly \
     rudely sadly twice warmly",
    ),
    (
        "said",
        "begged called hummed laughed moaned piped roared said sang whispered yelled",
    ),
    (
        "excl",
        "Ah Bravo Drat Eek Fine Golly Help Look My Oh Please Quick Right Stop True Uh-oh Wow \
     Yes",
    ),
    (
        "mood",
        "angry brave calm dizzy fine glad happy jolly lucky merry proud quiet sad tired upset \
     warm",
    ),
    (
        "weather",
        "bright cool dry foggy gray hot lovely mild nippy pale rainy still sunny warm wet \
     windy",
    ),
    (
        "day",
        "day evening Friday May morning night noon Sunday Tuesday winter",
    ),
    ("where", "above by inside near past under"),
    ("boxes", "cup drawer hole jar nest pot shoe tin well"),
    ("number", "eight five nine seven six ten three two"),
    // Syllables of songs and spells: a consonant and a vowel.
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
