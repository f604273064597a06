//! Assigns the pages of the cache to sequences.

use engine::Pages;

/// Rows per page.
const ROWS: usize = 64;

/// The page without an owner: rows that are computed but not needed are written there.
pub const WASTE: u32 = 0;

/// The pages of a cache, and those that are free.
pub struct PagePool {
    pages: Pages,
    /// The lowest is taken first, so that a sequence's pages tend to be contiguous.
    free: Vec<u32>,
}

impl PagePool {
    /// Pages for the given number of sequences of `context` positions. A table extends `beyond`
    /// rows further, so that a partial chunk can be computed in full.
    pub fn new(sequences: usize, context: usize, beyond: usize) -> PagePool {
        let own = sequences * context.div_ceil(ROWS);
        PagePool {
            pages: Pages {
                rows: ROWS,
                count: 1 + own,
                each: (context + beyond).div_ceil(ROWS),
            },
            free: (1..=own as u32).rev().collect(),
        }
    }

    /// The layout of the cache.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Takes the pages still missing for `positions` positions. There are enough for every sequence
    /// that the shelf was created for.
    pub fn reserve(&mut self, owned: &mut Vec<u32>, positions: usize) {
        while owned.len() * ROWS < positions {
            let Some(page) = self.free.pop() else { return };
            owned.push(page);
        }
    }

    /// Takes pages back.
    pub fn give_back(&mut self, owned: &[u32]) {
        self.free.extend(owned);
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
