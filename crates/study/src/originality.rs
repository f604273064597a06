//! Has a language model learned or copied? Its samples are searched for verbatim pieces of its
//! training text, and it is given the beginnings of passages to see which it continues by heart.
//!
//! Short pieces of any text stand in a large corpus. So each figure is also measured on held-out
//! text, which people wrote (or which the same grammar generated) and the model never saw: only the
//! difference means anything.
//!
//! `index` finds the matches, `show` marks them in the samples.

mod index;
mod show;

pub use index::{Index, MOST, Match};

use data::Tokens;
use run::{Extraction, Finding, MatchLengths, Originality, TextFigures};
use session::{Sampling, Session, TokenSampler, begin};
use text::Tokenizer;

/// Tokens of a passage that are given, and tokens that should come back.
pub const PREFIX: usize = 50;
/// The share of the tokens that may differ in a near copy, as 1 / this.
const NEAR: usize = 10;
/// The longest n-grams that are counted, and those that the verdict names.
const LONGEST: u32 = 10;
const NAMED: u32 = 8;
/// A larger share than in held-out text counts only if it is larger by this. 100 passages have a
/// standard deviation of at most 0.05.
const BEYOND: f64 = 0.1;
/// Upper ends of the classes of match lengths.
const CLASSES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, u32::MAX];
/// Sequences written together.
pub const TOGETHER: usize = 32;

/// This module's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of `originality`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tokens of the text.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// From the model in use.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The suffix array can't be made.
    #[error("the training tokens can't be indexed: {0}")]
    Sort(String),
    /// A text without a whole passage.
    #[error(
        "{part} has {tokens} tokens, too few: a passage has {}, of which the model gets the first \
         half",
        2 * PREFIX
    )]
    Short {
        /// Which text.
        part: &'static str,
        /// Its length.
        tokens: usize,
    },
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct SampleSettings {
    /// Number of samples, and at most as many passages of each text.
    pub samples: usize,
    /// Tokens of each sample: at least a passage.
    pub tokens: usize,
    /// How they are drawn.
    pub sampling: Sampling,
}

/// The texts that are compared.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The training tokens.
    pub train: &'a Tokens,
    /// Held-out tokens.
    pub held_out: &'a [u32],
}

impl Texts<'_> {
    /// Refuses texts without a whole passage.
    ///
    /// # Errors
    /// If either text is too short.
    pub fn check(&self) -> Result<()> {
        let lengths = [
            ("the training text", self.train.len()),
            ("the validation text", self.held_out.len()),
        ];
        match lengths.into_iter().find(|(_, len)| *len < 2 * PREFIX) {
            Some((part, tokens)) => Err(Error::Short { part, tokens }),
            None => Ok(()),
        }
    }
}

/// Measures a model; `index` is of its training tokens, `step` that of its checkpoint.
///
/// # Errors
/// If a text is too short or can't be read, or the device fails.
pub fn measure(
    session: &mut Session,
    texts: Texts,
    index: &Index,
    settings: &SampleSettings,
    step: Option<u64>,
) -> Result<Originality> {
    texts.check()?;
    let SampleSettings {
        samples,
        tokens,
        sampling,
    } = *settings;
    let start = begin(texts.tokenizer, "")?;
    let written = write(session, &vec![start; samples], tokens, &sampling)?;
    let human = human(texts.held_out, settings);
    let copied: Vec<Vec<Match>> = written.iter().map(|text| index.matches(text)).collect();
    let also: Vec<Vec<Match>> = human.iter().map(|text| index.matches(text)).collect();

    let mut heart = |passages: &[Vec<u32>]| by_heart(session, passages, &sampling);
    let passages: Vec<Vec<u32>> = written.iter().map(|t| t[..2 * PREFIX].to_vec()).collect();
    let model = figures(&copied, heart(&passages)?);
    let passages = |len: usize| spread(len, 2 * PREFIX, samples);
    let held_out = passages(texts.held_out.len())
        .map(|at| texts.held_out[at..][..2 * PREFIX].to_vec())
        .collect::<Vec<_>>();
    let human = figures(&also, heart(&held_out)?);
    let mut trained = Vec::new();
    for at in passages(texts.train.len()) {
        let mut passage = vec![0; 2 * PREFIX];
        texts.train.read(at, &mut passage)?;
        trained.push(passage);
    }
    let trained = heart(&trained)?;

    let beyond = human.longest_match.p90;
    let (finding, verdict) = judge(&model, &human, &trained);
    Ok(Originality {
        step,
        samples: samples as u64,
        tokens: tokens as u64,
        temperature: sampling.temperature,
        seed: sampling.seed,
        corpus_tokens: texts.train.len() as u64,
        indexed_tokens: index.tokens() as u64,
        model,
        human,
        train_prefix_extraction: trained.prefix_extraction,
        train_prefix_extraction_sampled: trained.prefix_extraction_sampled,
        train_near_copies: trained.near_copies,
        train_near_copies_sampled: trained.near_copies_sampled,
        finding,
        verdict,
        marked_beyond: beyond,
        texts: show::marked(&written, &copied, beyond as usize, &texts, index)?,
    })
}

/// Continues each prompt by `count` tokens, many together; the i-th with the i-th seed.
fn write(
    session: &mut Session,
    prompts: &[Vec<u32>],
    count: usize,
    sampling: &Sampling,
) -> Result<Vec<Vec<u32>>> {
    let mut all = Vec::with_capacity(prompts.len());
    for prompts in prompts.chunks(TOGETHER) {
        let mut texts = Vec::new();
        for prompt in prompts {
            let seed = sampling.seed.wrapping_add((all.len() + texts.len()) as u64);
            let sampling = Sampling { seed, ..*sampling };
            let sampler = TokenSampler::new(sampling, prompt)?;
            texts.push((session.sequence()?, sampler, Vec::with_capacity(count)));
        }
        let parts = texts.iter().zip(prompts);
        let parts: Vec<_> = parts.map(|((id, ..), prompt)| (*id, &prompt[..])).collect();
        session.feed(&parts)?;
        for at in 0..count {
            for (id, sampler, text) in &mut texts {
                text.push(session.draw(*id, sampler)?);
            }
            if at + 1 < count {
                let parts: Vec<_> = texts
                    .iter()
                    .map(|(id, _, text)| (*id, &text[at..]))
                    .collect();
                session.feed(&parts)?;
            }
        }
        for (id, _, text) in texts {
            session.release(id);
            all.push(text);
        }
    }
    Ok(all)
}

/// At most `most` places for passages of `len` tokens, evenly spaced over `all` tokens.
fn spread(all: usize, len: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = most.min(all / len).max(1);
    (0..count).map(move |i| (all - len) * i / (count - 1).max(1))
}

/// Passages of held-out text, as many and as long as the samples, or as far as it goes.
fn human<'a>(held_out: &'a [u32], settings: &SampleSettings) -> Vec<&'a [u32]> {
    let len = settings.tokens.min(held_out.len());
    let places = spread(held_out.len(), len, settings.samples);
    places.map(|at| &held_out[at..][..len]).collect()
}

/// Which passages the model continues by heart after their first half.
fn by_heart(
    session: &mut Session,
    passages: &[Vec<u32>],
    sampling: &Sampling,
) -> Result<Extraction> {
    let prompts: Vec<Vec<u32>> = passages.iter().map(|p| p[..PREFIX].to_vec()).collect();
    let mut shares = |sampling: &Sampling| -> Result<(f64, f64)> {
        let written = write(session, &prompts, PREFIX, sampling)?;
        let edits = written.iter().zip(passages);
        let edits: Vec<usize> = edits
            .map(|(text, p)| distance(text, &p[PREFIX..]))
            .collect();
        let share = |most: usize| {
            let within = edits.iter().filter(|&&edits| edits <= most).count();
            within as f64 / edits.len() as f64
        };
        Ok((share(0), share(PREFIX / NEAR)))
    };
    let greedy = Sampling {
        seed: sampling.seed,
        temperature: 0.0,
        ..Sampling::default()
    };
    let (exact, near) = shares(&greedy)?;
    let (exact_sampled, near_sampled) = shares(sampling)?;
    Ok(Extraction {
        prefix_extraction: exact,
        prefix_extraction_sampled: exact_sampled,
        near_copies: near,
        near_copies_sampled: near_sampled,
    })
}

/// Tokens to insert, remove or replace to turn one text into the other (Levenshtein, 1966).
fn distance(a: &[u32], b: &[u32]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn figures(texts: &[Vec<Match>], extraction: Extraction) -> TextFigures {
    // An n-gram is new if the longest match that begins with it is shorter.
    let new = |n: u32| {
        let n = n as usize;
        let grams = texts.iter().flat_map(|text| {
            let count = (text.len() + 1).saturating_sub(n);
            text[..count].iter().map(|found| found.len)
        });
        let (mut new, mut all) = (0u64, 0u64);
        for len in grams {
            new += u64::from(len < n);
            all += 1;
        }
        new as f64 / all.max(1) as f64
    };
    let mut lengths: Vec<usize> = texts.iter().flatten().map(|found| found.len).collect();
    lengths.sort_unstable();
    let at = |share: f64| {
        let last = lengths.len().saturating_sub(1);
        let place = (share * lengths.len() as f64).ceil() as usize;
        lengths
            .get(place.saturating_sub(1).min(last))
            .map_or(0, |&len| len as u64)
    };
    let up_to = |most: u32| lengths.partition_point(|&len| len <= most as usize);
    let mut before = 0;
    let class = |most: u32| {
        let count = up_to(most) - before;
        before += count;
        // The last class is known by its longest match.
        let most = most.min(lengths.last().map_or(0, |&len| len as u32));
        (most, count as f64 / lengths.len().max(1) as f64)
    };
    let classes = CLASSES.into_iter().map(class);
    TextFigures {
        match_lengths: classes.filter(|(_, share)| *share > 0.0).collect(),
        new_ngrams: (1..=LONGEST).map(|n| (n, new(n))).collect(),
        longest_match: MatchLengths {
            median: at(0.5),
            p90: at(0.9),
            largest: at(1.0),
        },
        extraction,
    }
}

/// What the figures say, and the sentence that says it.
fn judge(model: &TextFigures, human: &TextFigures, train: &Extraction) -> (Finding, String) {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let old = |figures: &TextFigures| 1.0 - figures.new_ngrams.get(&NAMED).unwrap_or(&1.0);
    let (ours, theirs) = (old(model), old(human));
    let (heart, chance) = (train.prefix_extraction, human.extraction.prefix_extraction);
    let grams = format!(
        "{} of its {NAMED}-grams stand in the corpus, {} of a human's do",
        percent(ours),
        percent(theirs)
    );
    if heart - chance >= BEYOND {
        let told = format!(
            "It has learned {:.0}% of the corpus by heart: after {PREFIX} tokens of a passage it \
             continues with the next {PREFIX}, word for word; of held-out passages it does so for \
             {:.0}%.",
            100.0 * heart,
            100.0 * chance
        );
        (Finding::ByHeart, told)
    } else if ours - theirs >= BEYOND {
        (Finding::Copies, format!("It copies in part: {grams}."))
    } else {
        (Finding::New, format!("It writes new text: {grams}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(all: &[usize]) -> Vec<Match> {
        let found = |&len: &usize| Match { len, at: 0 };
        all.iter().map(found).collect()
    }

    #[test]
    fn figures_follow_from_the_longest_matches() {
        // Four tokens, of which the last three stand together, then one alone.
        let texts = [lengths(&[0, 3, 2, 1]), lengths(&[1])];
        let f = figures(&texts, Extraction::default());
        let new: Vec<f64> = f.new_ngrams.values().copied().collect();
        assert_eq!(new[..4], [0.2, 1.0 / 3.0, 0.5, 1.0]);
        assert_eq!(new[4..], [0.0; 6], "there are no 5-grams");
        let MatchLengths {
            median,
            p90,
            largest,
        } = f.longest_match;
        assert_eq!((median, p90, largest), (1, 3, 3));
        let shares: Vec<(u32, f64)> = f.match_lengths.into_iter().collect();
        assert_eq!(shares, [(1, 0.6), (2, 0.2), (3, 0.2)]);
    }

    #[test]
    fn an_edit_is_an_insertion_a_removal_or_a_replacement() {
        for (a, b, edits) in [
            (&[1, 2, 3][..], &[1, 2, 3][..], 0),
            (&[1, 2, 3], &[1, 9, 3], 1),
            (&[1, 2, 3], &[2, 3, 4], 2),
            (&[], &[1, 2], 2),
            (&[1, 2, 3, 4], &[9, 4, 3, 2], 3),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits));
        }
    }

    #[test]
    fn only_the_difference_from_held_out_text_counts() {
        let text = |old: f64, heart: f64| TextFigures {
            new_ngrams: [(NAMED, 1.0 - old)].into(),
            extraction: Extraction {
                prefix_extraction: heart,
                ..Extraction::default()
            },
            ..TextFigures::default()
        };
        let told = |model, human, heart| {
            let train = Extraction {
                prefix_extraction: heart,
                ..Extraction::default()
            };
            judge(&model, &human, &train)
        };
        let (finding, sentence) = told(text(0.031, 0.0), text(0.028, 0.0), 0.0);
        assert_eq!(finding, Finding::New);
        assert_eq!(
            sentence,
            "It writes new text: 3.1% of its 8-grams stand in the corpus, 2.8% of a human's do."
        );
        assert_eq!(told(text(0.9, 0.0), text(0.9, 0.0), 0.0).0, Finding::New);
        assert_eq!(told(text(0.9, 0.0), text(0.5, 0.0), 0.0).0, Finding::Copies);
        let (finding, sentence) = told(text(0.9, 0.0), text(0.5, 0.01), 0.41);
        assert_eq!(finding, Finding::ByHeart);
        assert!(sentence.starts_with("It has learned 41% of the corpus by heart"));
        // Text so predictable that held-out passages come back as well.
        assert_eq!(told(text(0.9, 0.0), text(0.9, 0.4), 0.41).0, Finding::New);
    }

    #[test]
    fn passages_are_spread_over_the_whole_text() {
        let places = |all, most| spread(all, 100, most).collect::<Vec<_>>();
        assert_eq!(places(100, 5), [0]);
        assert_eq!(places(350, 5), [0, 125, 250]);
        assert_eq!(places(10_000, 3), [0, 4950, 9900]);
    }
}
