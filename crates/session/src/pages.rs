//! Which pages of the cache belong to whom?

use engine::Pages;

/// Rows of a page.
const ROWS: usize = 64;

/// The page that nobody owns: rows that are computed but not wanted are written there.
pub const WASTE: u32 = 0;

/// The pages of a cache, and those that are free.
pub struct PagePool {
    pages: Pages,
    /// The lowest is taken first, so that a sequence's pages tend to follow each other.
    free: Vec<u32>,
}

impl PagePool {
    /// Pages for so many sequences of `context` positions. A table reaches `beyond` rows further,
    /// so that a chunk that isn't full may be computed whole.
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

    /// How the cache is cut.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Takes as many pages as are missing for `positions` positions. There are enough for every
    /// sequence that the shelf was made for.
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

    /// A sequence's table: its own pages, then the one that nobody owns.
    pub fn table<'a>(&self, owned: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let rest = self.pages.each - owned.len();
        owned
            .iter()
            .copied()
            .chain(std::iter::repeat_n(WASTE, rest))
    }
}
