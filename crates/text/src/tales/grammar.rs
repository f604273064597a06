//! The template language of the tales: its parser, and the words allowed at each place.
//!
//! - `{a|b|c}` is one of the alternatives, each equally likely;
//! - `<list>` is any word of a list, `<hero:list>` also remembers it as `hero` and differs from all
//!   words remembered earlier from that list;
//! - `<hero>` is the remembered word again, `<hero.he>` its pronoun (`he his him He His`);
//! - `<fragment>` is another template.

/// The words and templates of one language.
#[derive(Debug)]
pub(super) struct Language {
    /// Girls' names, then as many boys' names.
    pub names: &'static str,
    /// The other lists: name and words.
    pub lists: &'static [(&'static str, &'static str)],
    /// Pronouns by their name in templates: for a girl and for a boy.
    pub pronouns: &'static [(&'static str, [&'static str; 2])],
    /// Fragments, each of which may use those before it.
    pub fragments: &'static [(&'static str, &'static str)],
    /// The whole of a story.
    pub story: &'static str,
    /// What stands between a color and a toy of that color.
    pub colors: &'static str,
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum GrammarPart {
    /// Literal text.
    Literal(String),
    /// One of several sequences, each equally likely.
    Choice(Vec<Vec<GrammarPart>>),
    /// A word of list number `list`, remembered in `slot`.
    Word { list: usize, slot: Option<usize> },
    /// The word in `slot`, or a pronoun for it: for a girl and for a boy.
    Again {
        slot: usize,
        pronoun: Option<[&'static str; 2]>,
    },
}

/// The words remembered so far: list and word of each slot.
pub(super) type Remembered = Vec<Option<(usize, usize)>>;

/// A compiled grammar.
#[derive(Debug)]
pub(super) struct Grammar {
    pub(super) root: Vec<GrammarPart>,
    names: Vec<String>,
    words: Vec<Vec<String>>,
    slots: Vec<String>,
    pronouns: &'static [(&'static str, [&'static str; 2])],
}

impl Grammar {
    /// Compiles the templates of a language. Errors are messages for their author.
    pub(super) fn new(language: &Language) -> Result<Self, String> {
        let mut grammar = Grammar {
            root: vec![],
            names: vec![],
            words: vec![],
            slots: vec![],
            pronouns: language.pronouns,
        };
        for (name, words) in std::iter::once(&("names", language.names)).chain(language.lists) {
            grammar.names.push((*name).to_owned());
            grammar
                .words
                .push(words.split_whitespace().map(str::to_owned).collect());
        }
        let mut known = Vec::new();
        for (name, template) in language.fragments {
            let parts = grammar.compile(template, &known)?;
            known.push((*name, parts));
        }
        grammar.root = grammar.compile(language.story, &known)?;
        Ok(grammar)
    }

    fn compile(
        &mut self,
        template: &str,
        known: &[(&str, Vec<GrammarPart>)],
    ) -> Result<Vec<GrammarPart>, String> {
        let mut rest = template;
        let mut alternatives = self.alternatives(&mut rest, known)?;
        match alternatives.pop() {
            Some(parts) if alternatives.is_empty() && rest.is_empty() => Ok(parts),
            _ => Err(format!("braces don't match before {rest:?}")),
        }
    }

    /// Parses sequences separated by `|` up to `}` or the end.
    fn alternatives(
        &mut self,
        rest: &mut &str,
        known: &[(&str, Vec<GrammarPart>)],
    ) -> Result<Vec<Vec<GrammarPart>>, String> {
        let mut all = vec![vec![]];
        while let Some(at) = rest.find(['{', '<', '|', '}']) {
            let parts = all.last_mut().ok_or("no sequence")?;
            if at > 0 {
                parts.push(GrammarPart::Literal(rest[..at].to_owned()));
            }
            let mark = rest.as_bytes()[at];
            if mark == b'}' {
                *rest = &rest[at..];
                return Ok(all);
            }
            *rest = &rest[at + 1..];
            match mark {
                b'|' => all.push(vec![]),
                b'{' => {
                    let inner = self.alternatives(rest, known)?;
                    *rest = rest.strip_prefix('}').ok_or("a brace isn't closed")?;
                    parts.push(GrammarPart::Choice(inner));
                }
                _ => {
                    let (name, after) = rest.split_once('>').ok_or("a < isn't closed")?;
                    *rest = after;
                    self.reference(name, known, parts)?;
                }
            }
        }
        if !rest.is_empty() {
            all.last_mut()
                .ok_or("no sequence")?
                .push(GrammarPart::Literal((*rest).to_owned()));
            *rest = "";
        }
        Ok(all)
    }

    /// Parses the text between `<` and `>`.
    fn reference(
        &mut self,
        name: &str,
        known: &[(&str, Vec<GrammarPart>)],
        parts: &mut Vec<GrammarPart>,
    ) -> Result<(), String> {
        if let Some((_, fragment)) = known.iter().find(|(known, _)| *known == name) {
            parts.extend(fragment.iter().cloned());
            return Ok(());
        }
        let list = |wanted: &str| self.names.iter().position(|n| n == wanted);
        if let Some(list) = list(name) {
            parts.push(GrammarPart::Word { list, slot: None });
        } else if let Some((slot, name)) = name.split_once(':') {
            let list = list(name).ok_or_else(|| format!("no list {name:?}"))?;
            parts.push(GrammarPart::Word {
                list,
                slot: Some(self.slot(slot)),
            });
        } else {
            let (slot, form) = name.split_once('.').unwrap_or((name, ""));
            let pronoun = self
                .pronouns
                .iter()
                .find(|(f, _)| *f == form)
                .map(|(_, words)| *words);
            if pronoun.is_none() && !form.is_empty() {
                return Err(format!("no pronoun {form:?}"));
            }
            parts.push(GrammarPart::Again {
                slot: self.slot(slot),
                pronoun,
            });
        }
        Ok(())
    }

    fn slot(&mut self, name: &str) -> usize {
        self.slots
            .iter()
            .position(|s| s == name)
            .unwrap_or_else(|| {
                self.slots.push(name.to_owned());
                self.slots.len() - 1
            })
    }

    /// An empty memory.
    pub(super) fn memory(&self) -> Remembered {
        vec![None; self.slots.len()]
    }

    /// A word of a list.
    pub(super) fn word(&self, list: usize, word: usize) -> &str {
        &self.words[list][word]
    }

    /// The words allowed here: all, or those not yet remembered from this list.
    pub(super) fn candidates(
        &self,
        list: usize,
        slot: Option<usize>,
        memory: &Remembered,
    ) -> impl Iterator<Item = usize> {
        let taken = move |word| slot.is_some() && memory.contains(&Some((list, word)));
        (0..self.words[list].len()).filter(move |&word| !taken(word))
    }

    /// The text of a [`GrammarPart::Again`]; `None` if its slot is empty.
    pub(super) fn again(
        &self,
        slot: usize,
        pronoun: Option<[&'static str; 2]>,
        memory: &Remembered,
    ) -> Option<&str> {
        let (list, word) = memory[slot]?;
        let boy = word >= self.words[list].len() / 2;
        Some(pronoun.map_or(self.word(list, word), |p| p[usize::from(boy)]))
    }
}
