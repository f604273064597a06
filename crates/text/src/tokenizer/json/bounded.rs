//! Bounded lists: parsing refuses a list as soon as it is too long.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

use super::MOST_TOKENS;

/// A list of at most `N` items.
pub(super) struct AtMost<const N: usize, T>(pub(super) Vec<T>);

impl<'de, const N: usize, T: Deserialize<'de>> Deserialize<'de> for AtMost<N, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List<const N: usize, T>(PhantomData<T>);
        impl<'de, const N: usize, T: Deserialize<'de>> Visitor<'de> for List<N, T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "a list of at most {N} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    if all.len() == N {
                        return Err(A::Error::custom(format!("a list of more than {N} items")));
                    }
                    all.push(one);
                }
                Ok(all)
            }
        }
        from.deserialize_seq(List::<N, T>(PhantomData)).map(AtMost)
    }
}

/// Tokens and their ids; empty if the file has a list instead, as for other model types.
#[derive(Default)]
pub(super) struct Vocabulary(pub(super) Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("tokens with their ids")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vocabulary::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if all.len() == MOST_TOKENS {
                        let message = format!("a vocabulary of more than {MOST_TOKENS} tokens");
                        return Err(A::Error::custom(message));
                    }
                    all.push(entry);
                }
                Ok(Vocabulary(all))
            }
        }
        from.deserialize_any(Entries)
    }
}

/// A merge: `"a b"`, or in newer files `["a", "b"]`.
pub(super) struct Merge {
    text: String,
    /// Where the second token begins in `text`, and where the first ends.
    second: Option<(usize, usize)>,
}

impl Merge {
    /// Both tokens.
    pub(super) fn parts(&self) -> Option<(&str, &str)> {
        let (end, from) = self.second?;
        Some((self.text.get(..end)?, self.text.get(from..)?))
    }
}

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a merge of two tokens")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Merge, E> {
                let second = text.find(' ').map(|space| (space, space + 1));
                Ok(Merge {
                    text: text.to_owned(),
                    second,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merge, A::Error> {
                let mut text = list.next_element::<String>()?.unwrap_or_default();
                let end = text.len();
                let second = list.next_element::<String>()?;
                text.push_str(second.as_deref().unwrap_or_default());
                let more = list.next_element::<IgnoredAny>()?.is_some();
                let second = second.filter(|_| !more).map(|_| (end, end));
                Ok(Merge { text, second })
            }
        }
        from.deserialize_any(Pair)
    }
}
