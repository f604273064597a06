//! Where are the numbers stored? In one aligned allocation. Only this file and `team` make slices
//! of it: an operation gets a `Read` for what it may read and an `Out` for what it may write, and
//! only the team can cut an `Out` into pieces.

use crate::cpu::gemm::{Packed, WeightForm};
use crate::cpu::machine::Isa;
use crate::error::{Error, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Aligned raw memory of f32 or u32 numbers, zero at first.
pub(crate) struct Arena {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: an arena owns its memory. The host reads and writes it through `&Arena` and `&mut Arena`;
// threads use `Read` and `Out`, which follow a plan in which no place is written while another
// thread reads or writes it.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    fn layout(len: usize) -> Result<Layout> {
        let bytes = len.checked_mul(4).ok_or(Error::Memory(usize::MAX))?;
        let align = if bytes < HUGE { 64 } else { HUGE };
        Layout::from_size_align(bytes, align).map_err(|_| Error::Memory(bytes))
    }

    /// An arena of `len` numbers.
    ///
    /// # Errors
    /// If the memory can't be allocated.
    pub fn new(len: usize) -> Result<Arena> {
        if len == 0 {
            return Ok(Arena::empty());
        }
        let layout = Arena::layout(len)?;
        // SAFETY: the layout's size is at least 4.
        let start = unsafe { alloc_zeroed(layout) }.cast::<f32>();
        let start = NonNull::new(start).ok_or(Error::Memory(layout.size()))?;
        huge_pages(start, layout);
        Ok(Arena { start, len })
    }

    /// An arena of no numbers.
    pub fn empty() -> Arena {
        Arena {
            start: NonNull::dangling(),
            len: 0,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    fn check(&self, offset: usize, len: usize) {
        assert!(
            offset <= self.len && len <= self.len - offset,
            "place outside the arena"
        );
    }

    /// A place to read.
    pub(crate) fn read(&self, offset: usize, len: usize) -> Read {
        self.check(offset, len);
        // SAFETY: the offset is inside the allocation.
        let start = unsafe { self.start.as_ptr().add(offset) };
        Read {
            start,
            len,
            form: WeightForm::Rows,
        }
    }

    /// A place to write.
    pub(crate) fn out(&self, offset: usize, len: usize) -> Out {
        self.check(offset, len);
        Out {
            // SAFETY: the offset is inside the allocation.
            start: unsafe { self.start.as_ptr().add(offset) },
            len,
        }
    }

    /// The numbers of a place, for the host, which has exclusive use of the arena.
    pub fn slice(&self, offset: usize, len: usize) -> &[f32] {
        self.check(offset, len);
        // SAFETY: inside the allocation; while the host holds `&Arena` no team is running.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset), len) }
    }

    /// The numbers of a place, writable, for the host.
    pub fn slice_mut(&mut self, offset: usize, len: usize) -> &mut [f32] {
        self.check(offset, len);
        // SAFETY: inside the allocation; `&mut` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(offset), len) }
    }

    /// The tokens of a place, writable, for the host.
    pub fn tokens_mut(&mut self, offset: usize, len: usize) -> &mut [u32] {
        self.check(offset, len);
        // SAFETY: as `slice_mut`; f32 and u32 have the same size and alignment, and every bit
        // pattern is valid for both.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(offset).cast(), len) }
    }
}

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// Asks the system to back a large allocation with huge pages: a model's weights span many more
/// small pages than the processor holds addresses of. It may decline.
fn huge_pages(start: NonNull<f32>, layout: Layout) {
    #[cfg(target_os = "linux")]
    if layout.align() == HUGE {
        use rustix::mm::{Advice, madvise};
        let whole = layout.size() / HUGE * HUGE;
        // SAFETY: the pages belong to this allocation, and the advice doesn't change their content.
        let _ = unsafe { madvise(start.as_ptr().cast(), whole, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, layout);
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        if let Ok(layout) = Arena::layout(self.len) {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) };
        }
    }
}

/// A place that an operation may read. It can't be copied, so it can't outlive the arguments that
/// the device lends to a kernel.
pub struct Read {
    start: *const f32,
    len: usize,
    /// How a weight is stored; `Rows` for everything else.
    form: WeightForm,
}

// SAFETY: reading from several threads is sound while no thread writes; the plan ensures that.
unsafe impl Send for Read {}
// SAFETY: as above.
unsafe impl Sync for Read {}

impl Read {
    /// An empty place, for a slot that the operation declared it doesn't read.
    pub(crate) fn none() -> Read {
        Read {
            start: NonNull::dangling().as_ptr(),
            len: 0,
            form: WeightForm::Rows,
        }
    }

    /// The same place as a weight stored in this form.
    pub(crate) fn in_form(self, form: WeightForm) -> Read {
        Read { form, ..self }
    }

    /// How the weight read here is stored. Only kernels that declare it ([`reads_packed`]) get
    /// another form than `Rows`.
    ///
    /// [`reads_packed`]: crate::cpu::kernel::Kernel::reads_packed
    pub fn form(&self) -> WeightForm {
        self.form
    }

    /// A weight [out, in] that isn't stored as rows.
    pub fn packed(&self, isa: Isa, shape: [usize; 2]) -> Packed<'_> {
        // SAFETY: as `real`.
        let units = unsafe { std::slice::from_raw_parts(self.start, self.len) };
        Packed::new(isa, self.form, units, shape)
    }

    /// The numbers.
    ///
    /// # Panics
    /// If they are a packed weight.
    pub fn real(&self) -> &[f32] {
        assert!(
            self.form == WeightForm::Rows,
            "a packed weight is read as rows"
        );
        // SAFETY: made by `Arena::read`, which checked the bounds. Only a device makes one, from a
        // plan, which gives no operation a `Read` and an `Out` of the same place, and drops it
        // before the arena.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// The tokens.
    pub fn tokens(&self) -> &[u32] {
        // SAFETY: as `real`; every bit pattern is a valid u32.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len) }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A place that an operation may write, once the team has cut it into pieces.
pub struct Out {
    pub(crate) start: *mut f32,
    pub(crate) len: usize,
}

// SAFETY: an `Out` gives no access by itself; the team hands out disjoint pieces.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

impl Out {
    /// The numbers, while nothing writes them.
    ///
    /// # Safety
    /// No patch of this place may be alive while the slice is.
    pub(crate) unsafe fn settled(&self) -> &[f32] {
        // SAFETY: made by `Arena::out`, which checked the bounds; the caller ensures that nothing
        // writes.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// `count` numbers of it from `first` on. Like the whole it gives no access by itself.
    pub fn part(&self, first: usize, count: usize) -> Out {
        assert!(
            first <= self.len && count <= self.len - first,
            "part outside the place"
        );
        Out {
            // SAFETY: inside the place.
            start: unsafe { self.start.add(first) },
            len: count,
        }
    }

    /// First address, and the one after the last.
    fn range(&self) -> (usize, usize) {
        let start = self.start as usize;
        (start, start + 4 * self.len)
    }

    /// Bands of `band` whole rows of `width` numbers: used by most operations.
    pub fn bands(&self, width: usize, band: usize) -> Cut<'_> {
        self.grid(width, band, width)
    }

    /// Strips of `strip` columns over all rows: used for sums over rows.
    pub fn strips(&self, width: usize, strip: usize) -> Cut<'_> {
        self.grid(width, self.len / width.max(1), strip)
    }

    /// Tiles of `band` rows by `strip` columns of a matrix with rows of `width` numbers. Tiles are
    /// numbered row band by row band.
    pub fn grid(&self, width: usize, band: usize, strip: usize) -> Cut<'_> {
        Cut {
            out: self,
            width: width.max(1),
            band: band.max(1),
            strip: strip.max(1),
        }
    }
}

/// A place to write, cut into tiles.
#[derive(Clone, Copy)]
pub struct Cut<'o> {
    out: &'o Out,
    width: usize,
    band: usize,
    strip: usize,
}

/// One tile of a cut: rows and columns that only this patch may access.
pub struct Patch<'p> {
    start: *mut f32,
    /// Rows of the tile.
    pub rows: usize,
    /// Columns of the tile.
    pub columns: usize,
    /// First row of the tile within the place.
    pub first_row: usize,
    /// First column of the tile within the place.
    pub first_column: usize,
    pub(crate) stride: usize,
    only: std::marker::PhantomData<&'p mut f32>,
}

impl Patch<'_> {
    /// One row of the tile.
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "row outside the tile");
        // SAFETY: inside the tile, which only this patch may access.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.columns) }
    }

    /// `count` rows of the tile, starting at `first`, as a tile.
    pub fn band(&mut self, first: usize, count: usize) -> Patch<'_> {
        assert!(first + count <= self.rows, "rows outside the tile");
        Patch {
            // SAFETY: inside the tile, which only this patch may access and which it lends.
            start: unsafe { self.start.add(first * self.stride) },
            rows: count,
            first_row: self.first_row + first,
            only: std::marker::PhantomData,
            ..*self
        }
    }

    /// `count` columns of the tile, starting at `first`, as a tile.
    pub fn strip(&mut self, first: usize, count: usize) -> Patch<'_> {
        assert!(first + count <= self.columns, "columns outside the tile");
        Patch {
            // SAFETY: inside the tile, which only this patch may access and which it lends.
            start: unsafe { self.start.add(first) },
            columns: count,
            first_column: self.first_column + first,
            only: std::marker::PhantomData,
            ..*self
        }
    }

    /// Sets every number of the tile to 0.
    pub fn clear(&mut self) {
        (0..self.rows).for_each(|row| self.row(row).fill(0.0));
    }

    /// The whole tile; its rows must be contiguous.
    pub fn slice(&mut self) -> &mut [f32] {
        assert!(
            self.stride == self.columns || self.rows <= 1,
            "rows are not contiguous"
        );
        // SAFETY: inside the tile, which only this patch may access.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.rows * self.columns) }
    }

    /// Pointer to its first number, for kernels.
    pub(crate) fn pointer(&mut self) -> *mut f32 {
        self.start
    }
}

/// One or more places cut the same way: tile `i` of each belong together. Sealed: only this file
/// implements it.
pub trait Cuts: Copy + sealed::Sealed {
    /// The tiles with the same index.
    type Patches<'p>;
    /// Number of tiles.
    fn count(&self) -> usize;
    /// Calls `see` for each place that is cut.
    fn each_cut(&self, see: &mut dyn FnMut(&Cut));
    /// Takes the tiles with this index.
    ///
    /// # Safety
    /// No tile may be taken again while its patch is alive, and no place may be cut twice.
    unsafe fn take<'p>(&self, tile: usize) -> Self::Patches<'p>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Cut<'_> {}
    impl<C: Sealed> Sealed for Option<C> {}
    impl<C: Sealed, const N: usize> Sealed for [C; N] {}
    impl<A: Sealed, B: Sealed> Sealed for (A, B) {}
    impl<A: Sealed, B: Sealed, C: Sealed> Sealed for (A, B, C) {}
}

/// Maximum number of places that are cut together.
const CUT_TOGETHER: usize = 8;

/// Hash of these cuts and of what is read while they are written: threads that share tiles compare
/// it, so that none takes tiles of a different cut.
///
/// # Panics
/// If a place is cut twice, or both read and cut.
pub(crate) fn fingerprint(cuts: &impl Cuts, read: &[&Out]) -> usize {
    let mut print = 0usize;
    let mut mix = |part: usize| {
        // Odd and large: similar sizes get very different hashes.
        print = (print.rotate_left(23) ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as usize);
    };
    let (mut ranges, mut count) = ([(0, 0); CUT_TOGETHER], 0);
    cuts.each_cut(&mut |cut| {
        let (start, end) = cut.out.range();
        let apart = |&(from, to): &(usize, usize)| end <= from || to <= start;
        assert!(ranges[..count].iter().all(apart), "a place is cut twice");
        (ranges[count], count) = ((start, end), count + 1);
        [start, cut.out.len, cut.width, cut.band, cut.strip]
            .into_iter()
            .for_each(&mut mix);
    });
    for out in read {
        let (start, end) = out.range();
        let apart = |&(from, to): &(usize, usize)| end <= from || to <= start;
        assert!(
            ranges[..count].iter().all(apart),
            "a place is both read and cut"
        );
        mix(start);
    }
    print | 1
}

impl Cuts for Cut<'_> {
    type Patches<'p> = Patch<'p>;

    fn each_cut(&self, see: &mut dyn FnMut(&Cut)) {
        see(self);
    }

    fn count(&self) -> usize {
        let rows = self.out.len / self.width;
        rows.div_ceil(self.band) * self.width.div_ceil(self.strip)
    }

    unsafe fn take<'p>(&self, tile: usize) -> Patch<'p> {
        let across = self.width.div_ceil(self.strip);
        let (first_row, first_column) = (tile / across * self.band, tile % across * self.strip);
        let rows = self.out.len / self.width;
        assert!(first_row < rows, "tile outside the place");
        Patch {
            // SAFETY: the first number of the tile lies inside the place.
            start: unsafe { self.out.start.add(first_row * self.width + first_column) },
            rows: self.band.min(rows - first_row),
            columns: self.strip.min(self.width - first_column),
            first_row,
            first_column,
            stride: self.width,
            only: std::marker::PhantomData,
        }
    }
}

/// A gradient that may not be needed.
impl<C: Cuts> Cuts for Option<C> {
    type Patches<'p> = Option<C::Patches<'p>>;

    fn each_cut(&self, see: &mut dyn FnMut(&Cut)) {
        self.iter().for_each(|c| c.each_cut(see));
    }

    fn count(&self) -> usize {
        self.as_ref().map_or(0, Cuts::count)
    }

    unsafe fn take<'p>(&self, tile: usize) -> Self::Patches<'p> {
        // SAFETY: the caller's obligation.
        self.as_ref().map(|c| unsafe { c.take(tile) })
    }
}

fn same(counts: &[usize]) -> usize {
    let most = counts.iter().copied().max().unwrap_or(0);
    assert!(
        counts.iter().all(|&c| c == most || c == 0),
        "places are cut differently"
    );
    most
}

impl<C: Cuts, const N: usize> Cuts for [C; N] {
    type Patches<'p> = [C::Patches<'p>; N];

    fn each_cut(&self, see: &mut dyn FnMut(&Cut)) {
        self.iter().for_each(|c| c.each_cut(see));
    }

    fn count(&self) -> usize {
        same(&self.map(|c| c.count()))
    }

    unsafe fn take<'p>(&self, tile: usize) -> Self::Patches<'p> {
        // SAFETY: the caller's obligation.
        self.map(|c| unsafe { c.take(tile) })
    }
}

impl<A: Cuts, B: Cuts> Cuts for (A, B) {
    type Patches<'p> = (A::Patches<'p>, B::Patches<'p>);

    fn each_cut(&self, see: &mut dyn FnMut(&Cut)) {
        self.0.each_cut(see);
        self.1.each_cut(see);
    }

    fn count(&self) -> usize {
        same(&[self.0.count(), self.1.count()])
    }

    unsafe fn take<'p>(&self, tile: usize) -> Self::Patches<'p> {
        // SAFETY: the caller's obligation.
        unsafe { (self.0.take(tile), self.1.take(tile)) }
    }
}

impl<A: Cuts, B: Cuts, C: Cuts> Cuts for (A, B, C) {
    type Patches<'p> = (A::Patches<'p>, B::Patches<'p>, C::Patches<'p>);

    fn each_cut(&self, see: &mut dyn FnMut(&Cut)) {
        self.0.each_cut(see);
        self.1.each_cut(see);
        self.2.each_cut(see);
    }

    fn count(&self) -> usize {
        same(&[self.0.count(), self.1.count(), self.2.count()])
    }

    unsafe fn take<'p>(&self, tile: usize) -> Self::Patches<'p> {
        // SAFETY: the caller's obligation.
        unsafe { (self.0.take(tile), self.1.take(tile), self.2.take(tile)) }
    }
}
