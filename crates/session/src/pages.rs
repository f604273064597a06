//! Assigns the pages of the cache to sequences. Sequences that begin alike share their first pages;
//! a shared page is never written to.

use engine::Pages;
use model::ModelConfig;

/// Rows per page.
pub const ROWS: usize = 64;

/// The page without an owner: rows that are computed but not needed are written there.
pub const WASTE: u32 = 0;

/// Number of cache pages that this many tokens need.
pub fn pages_of(tokens: usize) -> usize {
    tokens.div_ceil(ROWS)
}

/// How many of this many tokens at a text's beginning are in whole pages, and can be shared.
pub fn in_whole_pages(tokens: usize) -> usize {
    tokens / ROWS * ROWS
}

/// Bytes of one page: the keys and values of all layers.
pub fn page_bytes(model: &ModelConfig) -> u64 {
    (2 * model.layers * model.kv_heads * model.head_size * ROWS * size_of::<f32>()) as u64
}

/// The pages of a cache, and those that are free.
pub struct PagePool {
    pages: Pages,
    /// The lowest is taken first, so that a sequence's pages tend to be contiguous.
    free: Vec<u32>,
    /// How many sequences own each page.
    owners: Vec<u32>,
}

impl PagePool {
    /// A cache of this many pages for sequences of `context` positions. A table extends `beyond`
    /// rows further, so that a partial chunk can be computed in full.
    pub fn new(count: usize, context: usize, beyond: usize) -> PagePool {
        PagePool {
            pages: Pages {
                rows: ROWS,
                count: 1 + count,
                each: (context + beyond).div_ceil(ROWS),
            },
            free: (1..=count as u32).rev().collect(),
            owners: vec![0; 1 + count],
        }
    }

    /// The layout of the cache.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Makes sure that positions from `from` to `to` of a sequence have pages that it owns alone;
    /// `false` if there are too few free ones. A shared page among them is replaced: what it holds
    /// is about to be overwritten.
    #[must_use]
    pub fn reserve(&mut self, owned: &mut Vec<u32>, from: usize, to: usize) -> bool {
        for at in from / ROWS..to.div_ceil(ROWS) {
            let old = owned.get(at).copied();
            if old.is_some_and(|page| self.is_exclusive(page)) {
                continue;
            }
            let Some(page) = self.free.pop() else {
                return false;
            };
            self.owners[page as usize] = 1;
            match old {
                Some(old) => {
                    self.give_back(&[old]);
                    owned[at] = page;
                }
                None => owned.push(page),
            }
        }
        true
    }

    /// Adds an owner to pages.
    pub fn share(&mut self, pages: &[u32]) {
        for &page in pages {
            self.owners[page as usize] += 1;
        }
    }

    /// Whether a page has one owner.
    pub fn is_exclusive(&self, page: u32) -> bool {
        self.owners[page as usize] == 1
    }

    /// Number of free pages.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Removes an owner of pages; those without one are free.
    pub fn give_back(&mut self, pages: &[u32]) {
        for &page in pages {
            let owners = &mut self.owners[page as usize];
            *owners = owners.saturating_sub(1);
            if *owners == 0 {
                self.free.push(page);
            }
        }
        self.free.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// A sequence's table: its own pages, then the page without an owner.
    pub fn table<'a>(&self, owned: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let rest = self.pages.each - owned.len();
        owned
            .iter()
            .copied()
            .chain(std::iter::repeat_n(WASTE, rest))
    }
}
